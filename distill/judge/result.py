"""judged.json as a typed value: what a judge said of every pair, and whether it can be believed.

Nothing here computes; the report holds the same value.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

from distill.rows import Frozen
from distill.statistics.scores import Interval

FILE = "judged.json"
Standing = Literal["passed", "cannot be believed", "no verdict"]


class Value(Frozen):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Rate(Value):
    """A share of items."""

    value: float
    ci95: tuple[float, float]
    n: int

    @classmethod
    def of(cls, found: Interval) -> Rate:
        return cls(value=found.value, ci95=(found.low, found.high), n=found.n)


class Counts(Value):
    """What became of the items; items = won + tied + lost + failed."""

    items: int
    won: int
    """By a: preferred in both orders."""
    tied: int
    """Preferred in neither order or in one, and texts that are the same."""
    lost: int
    failed: int
    """At least one of the two verdicts cannot be read, or the judge's engine failed."""
    same: int = 0
    """Of the tied, those whose two texts are the same: they were not asked about."""


class Pair(Value):
    """a against b on the same items."""

    a: str
    b: str
    counts: Counts
    unanswered: int
    """Items that one of the two did not answer: they are not judged."""
    rate: Rate | None
    """Share won by a, a tie half. None where no verdict could be read."""
    controlled: Rate | None
    """The same at equal length."""
    undefined: str | None
    """Why there is no controlled rate."""
    consistency: Rate | None
    """Share of the pairs read twice of which both orders say the same."""
    first: Rate | None
    """Share won by what was shown first, a tie half: 0.5 for a judge that does not look at the place."""
    characters: tuple[float, float] | None
    """Mean length of the answers of a and of b."""
    detectable: float | None
    """The distance from one half that this many items find in 80% of cases."""
    needed: int | None
    """Items that would find the distance seen in 80% of cases; None where there is none."""
    verdict: Literal["better", "worse", "cannot tell", "no verdict"]
    """What the judge says of a beside b, at equal length where that is known."""


class Control(Value):
    """A pair of which the outcome is known beforehand."""

    name: Literal["same", "constant", "shuffled"]
    meaning: str
    counts: Counts
    rate: Rate | None
    """`same`: share won by what was shown first; the others: share won by what should lose."""
    passed: bool | None
    """None where no verdict could be read. `same` never fails: what the place decides is a tie."""


class Agreement(Value):
    """The judge against people."""

    pairs: int
    """That people have labelled."""
    read: int
    """Of them, those that the judge gave a verdict on."""
    share: Rate | None
    """Of the read, the share on which both say the same: a, b or tie."""
    kappa: Rate | None
    """The same beyond what chance would give; None where people said the same of all."""
    commonest: float | None
    """Share that saying always the commonest label would have."""
    undefined: str | None = None
    """Why there is no kappa, or neither number."""


class Judged(Value):
    by: str
    """Its name in the recipe."""
    model: str
    """`<model>@<revision>`."""
    kin: str | None
    """How it is related to what it judges."""
    asked: int
    """Questions that were put to it."""
    read: int
    """Of them, those whose answer is a verdict."""
    example: str | None
    """An answer that is no verdict, with the reason."""
    pairs: tuple[Pair, ...]
    controls: tuple[Control, ...]
    agreement: Agreement | None
    """None where the recipe has no labels."""
    standing: Standing
    reasons: tuple[str, ...]
    """Why it cannot be believed, or gave no verdict."""
    cautions: tuple[str, ...]
    """What else must be known of it."""
