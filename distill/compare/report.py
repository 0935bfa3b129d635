"""report.json as a typed value: what others may read, field by field.

Nothing here computes; a number that is not finite is refused by every model below.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError

from distill.compare.books import MethodBooks, OriginBooks, folded
from distill.compare.cost import Cost, Environment
from distill.compare.diversity import Diversity
from distill.compare.findings import Calibration, Forgotten, Guarded, Price
from distill.compare.value import Interval, Value
from distill.errors import CompareError
from distill.judge.result import Judged
from distill.names import REAL_ONLY
from distill.terms.outcome import Terms

PROVED = ("student", "base")
"""Arms of the comparison that a distillation stands or falls by."""


class Counts(Value):
    """Items of one arm; requested = scored + failed."""

    requested: int
    scored: int
    failed: int


class Arm(Value):
    origin: str | None
    """`<model>@<revision>`, with what was done to it; None where the run does not say."""
    template: str | None
    """Hash of its chat template."""
    tokenizer: str | None
    """Hash of its vocabulary; None, like the template's, for an engine that has neither."""
    decoding: dict[str, Any]
    counts: Counts


class Score(Value):
    mean: float
    ci95: Interval
    n: int


class Pair(Value):
    """a against b on the same items."""

    a: str
    b: str
    difference: float
    """Mean of a minus mean of b."""
    ci95: Interval
    p: float
    """Two-sided, of this comparison alone."""
    p_holm: float | None = None
    """Of student against base in the first metric of every suite but the one that decides: adjusted for their number."""
    test: Literal["mcnemar", "swap", "seeds"] = "swap"
    """Where p is from: exact McNemar; random swaps of the arms' labels by prompt; a t-test over training seeds and prompts."""
    detectable: float
    """The difference that this many items find in 80% of cases."""
    needed: int | None
    """Items that would find the difference seen in 80% of cases; None where there is no difference."""
    verdict: str
    n: int


class Recovered(Value):
    """(arm - base) / (teacher - base): 0 is the base, 1 the teacher; never clipped. Or, as a retention, arm / teacher."""

    value: float | None
    ci95: Interval | None
    undefined: str | None
    """Why there is no value."""


class About(Value):
    direction: Literal["higher", "lower"]
    """Which way is better."""
    unit: str
    meaning: str


class Metric(About):
    primary: bool
    items: str
    """Hash of the ids of the items compared: two reports with one hash asked the same."""
    left_out: int
    """Items that some arm scored and another did not."""
    arms: dict[str, Score]
    paired: tuple[Pair, ...]
    gap_recovered: Recovered
    """Of the student."""
    checkpoints: dict[str, Recovered]
    """Of the student's checkpoints, and of other arms."""
    retention: Recovered | None = None
    """student / teacher; None where the metric does not count from a true zero upwards."""
    seeds: dict[str, Score] = {}
    """Every training seed alone, where `student` is the mean of several."""

    @property
    def n(self) -> int:
        """Items compared: the same in every arm."""
        return next(iter(self.arms.values())).n


class Data(Value):
    """The teacher's rows; requested = kept + dropped + failed + missing."""

    requested: int
    kept: int
    dropped: dict[str, int]
    """By `<filter>.<reason>`."""
    failed: int
    missing: int
    real: int
    """Real rows in the mix."""
    real_fraction: float
    train_rows: int
    heldout_rows: int
    real_dropped: dict[str, int]
    """Real rows that the filters kept away from the mix, by `<filter>.<reason>`."""
    preference_rows: int = 0
    """Pairs of answers in the mix, beside `train_rows`."""
    by_method: dict[str, MethodBooks] = {}
    by_origin: dict[str, OriginBooks] = {}
    """By `<model>@<revision>` or `<dataset>@<revision>`."""
    overlap: dict[str, int] = {}
    """`<filter>+<filter>`: rows that the first dropped and the second would have dropped too."""
    changed: dict[str, int] = {}
    """Kept rows that a filter changed, by `<filter>.<what it did>`."""

    @property
    def methods(self) -> dict[str, MethodBooks]:
        """`by_method` as it is shown: a method of many cells in one line, and the cells of which least was kept."""
        return folded(self.by_method)


class Point(Value):
    step: int
    loss: float | None = None
    """Mean in nats per token over a stretch of steps that ends here."""
    real_loss: float | None = None
    """After this step, on real rows that are not trained on."""
    kept: bool = False
    """Whether the student is that of this step."""


class Sample(Value):
    """One held-out item with every arm's answer."""

    label: Literal["worst", "middle", "best"]
    suite: str
    item: str
    question: str
    reference: str
    difference: float
    """Student minus base in the metric of the rule."""
    answers: dict[str, str | None]
    """By arm; None where the item was scored and not generated."""


class Samples(Value):
    rule: str
    items: tuple[Sample, ...]


class Example(Value):
    """One row that a filter dropped."""

    reason: str
    question: str
    answer: str
    evidence: str


class Report(Value):
    name: str
    use: str
    headline: str
    primary: str
    """Key of the metric that decides, named before the run."""
    arms: dict[str, Arm]
    metrics: dict[str, Metric]
    """By `<suite>.<metric>`, the primary one first."""
    data: Data
    terms: Terms
    diversity: Diversity
    cost: Cost
    environment: Environment
    training: dict[str, tuple[Point, ...]]
    """Loss by step of every training, by its node's name; thinned to a few hundred points."""
    samples: Samples
    examples: tuple[Example, ...]
    notes: tuple[str, ...]
    seeds: int = 1
    """Trainings of the student that differ in their seed; what is said of it is of their mean."""
    forgetting: tuple[Forgotten, ...] = ()
    """What the student was not to lose, as the recipe says."""
    calibration: dict[str, Calibration] = {}
    """By suite."""
    price: Price | None = None
    guard: Guarded | None = None
    """What is poorer than people's texts beyond `guard.limits`; None in reports of a version before it."""
    judge: Judged | None = None
    """What a judge said of pairs of arms; None where the recipe names none."""

    @property
    def shown(self) -> list[str]:
        """Arms that metrics have a mean of: of several training seeds only `student`."""
        having = {arm for metric in self.metrics.values() for arm in metric.arms}
        return [arm for arm in self.arms if arm in having]

    @property
    def against_base(self) -> dict[str, Pair]:
        """The student against the base, by metric."""
        found = {
            name: [pair for pair in metric.paired if (pair.a, pair.b) == PROVED]
            for name, metric in self.metrics.items()
        }
        return {name: pairs[0] for name, pairs in found.items() if pairs}

    @property
    def added(self) -> Pair | None:
        """The student against one that learnt from real rows alone, in the metric that decides: what the teacher added."""
        pairs = self.metrics[self.primary].paired
        return next((pair for pair in pairs if (pair.a, pair.b) == (PROVED[0], REAL_ONLY)), None)

    @property
    def retained(self) -> dict[str, Recovered]:
        """student / teacher, by metric, where that has a value."""
        found = {name: metric.retention for name, metric in self.metrics.items()}
        return {name: one for name, one in found.items() if one is not None and one.value is not None}

    @property
    def undefined(self) -> dict[str, list[str]]:
        """Why the student's gap has no value -> the metrics in which it has none."""
        reasons: dict[str, list[str]] = {}
        for name, metric in self.metrics.items():
            if metric.gap_recovered.undefined:
                reasons.setdefault(metric.gap_recovered.undefined, []).append(name)
        return reasons

    def to_json(self) -> str:
        """The file's text: keys in the order above, no NaN, the same bytes for the same report."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_report(report: Mapping[str, Any], where: str | None = None) -> Report:
    """A parsed report.json -> the value.

    Raises:
        CompareError: it is not one of this version's reports.
    """
    try:
        return Report.model_validate(report)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CompareError(
            f"not a report of this version: {place}: {first['msg']}", where=where, hint="run the recipe again"
        ) from error
