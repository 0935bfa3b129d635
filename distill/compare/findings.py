"""What is concluded beside the metrics, as typed values of report.json: forgetting, calibration, what the gap cost,
and whether rows or student are poorer than people's texts."""

from __future__ import annotations

from typing import Literal

from distill.compare.value import Interval, Value


class Forgotten(Value):
    """Whether the student lost more than a margin of what its base could do; a gain is above zero, whichever way better is."""

    metric: str
    unit: str
    gain: float
    """From base to student."""
    bounds: Interval
    """Its two one-sided 95% bounds."""
    margin: float
    """In the metric's unit."""
    relative: bool
    """Whether the recipe gave it as a share of the base's mean."""
    verdict: Literal["not worse", "worse", "cannot tell"]
    needed: int | None
    """Items that settle it in 80% of cases if the gain is the one seen; None where no number of them would."""
    n: int


class Bin(Value):
    """Choices whose confidence lies between `low` and `high`."""

    low: float
    high: float
    n: int
    confidence: float
    """Mean."""
    accuracy: float


class ArmCalibration(Value):
    error: float
    """Expected calibration error, 15 bins of equal width."""
    ci95: Interval
    confidence: float
    """Mean; above `accuracy` is overconfident."""
    accuracy: float
    n: int
    bins: tuple[Bin, ...]


class ErrorDifference(Value):
    """Calibration error of a minus that of b, on the same items."""

    a: str
    b: str
    difference: float
    ci95: Interval


class Calibration(Value):
    """Of one suite whose items are chosen."""

    arms: dict[str, ArmCalibration]
    paired: tuple[ErrorDifference, ...]


class Price(Value):
    """What the student cost, from generation to the end of one training, and what of the primary metric's gap that recovered."""

    stages: tuple[str, ...]
    device: Literal["GPU", "processor"]
    """Whether hours are of every GPU that computed, or of every process where none did."""
    hours: float
    money: float
    """What teachers charged for it."""
    gap_per_hour: float | None
    """Share of the gap; None where there is no gap or no time."""
    gap_per_hour_ci95: Interval | None
    gap_per_money: float | None
    """For one unit of the recipe's currency; None where nothing was charged."""
    gap_per_money_ci95: Interval | None


Verdict = Literal["worse", "not worse", "cannot tell"]


class Beyond(Value):
    """A measure of rows, or of the student, that is poorer than people's texts beyond its limit in `guard.limits`."""

    measure: str
    corpus: str
    """`teacher`, `mix` or `student`."""
    value: float
    people: float
    """The same of people's rows; of `real_loss` the base's."""
    interval: Interval
    """Of the value less people's."""
    limit: float
    says: str
    remedies: tuple[str, ...]
    """Lines of a recipe that help against it."""


class LossOnReal(Value):
    """Nats per token on real held-out text, on the same items."""

    suite: str
    student: float
    base: float
    rise: float
    """Student less base."""
    ci95: Interval
    n: int
    limit: float | None = None
    """As in `guard.limits`, a share of the base's; None where there is none."""
    verdict: Verdict | None = None
    """`worse` beyond the limit and beyond chance, `not worse` where the whole interval is within the limit; None without one."""


class Guarded(Value):
    """What `guard` found."""

    stop: bool
    """Whether what is beyond a limit stops a run."""
    rows: tuple[Beyond, ...]
    student: tuple[Beyond, ...]
    synthetic: float
    """Share of the mix that a model wrote."""
    losses: tuple[LossOnReal, ...]
    """Of each suite of people's held-out text."""
    unjudged: tuple[str, ...]
    """Why something was not judged."""
