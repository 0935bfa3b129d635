"""arms -> a Metric per suite and measure: means, paired differences, gap recovered, on the items all arms scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from distill.compare.arms import BASE, STUDENT, TEACHER, Arm, Key, training_seeds
from distill.compare.report import PROVED, Metric, Pair, Recovered, Score
from distill.errors import CompareError
from distill.names import REAL_ONLY
from distill.rows import digest
from distill.statistics.holm import holm
from distill.statistics.panel import Panel
from distill.statistics.scores import LEVEL, Direction, Interval, Paired, Ratio, Scores

PER_TOKEN = frozenset({"loss", "agreement", "kl"})
"""Means over tokens: between two vocabularies they are means over different things."""
AGAINST_TEACHER = frozenset({"agreement", "kl"})
"""Measured against the teacher's distributions: to another teacher they are other metrics."""
OF_TEACHER = "agreement"
"""With the teacher, which agrees with itself by definition: a share of that is the number itself."""


@dataclass(frozen=True)
class Compared:
    """The arms that have a metric, on the items all of them scored."""

    panel: Panel
    keys: Sequence[Key]
    left_out: int
    """Items that some arm scored and another did not."""
    lost: Sequence[str]
    """Training seeds without a single number."""


def measure(arms: Sequence[Arm], primary: str, seed: int) -> tuple[dict[str, Metric], list[str]]:
    """Every `<suite>.<metric>` of the arms, the primary one first, and what a reader should know of what is missing.

    Raises:
        CompareError: the primary metric is not among them, or has too few items for an interval.
    """
    names = sorted(
        {f"{suite}.{name}" for arm in arms for (suite, _), item in arm.items.items() for name in item.metrics}
    )
    if primary not in names:
        raise CompareError(
            f"no arm has the primary metric {primary!r}",
            where="evaluate.primary",
            hint=f"there are: {', '.join(names) or 'none, and no item was scored'}",
        )
    metrics: dict[str, Metric] = {}
    notes: list[str] = []
    first = primary.split(".")[0]
    order = list(arms[0].metrics)
    for name in sorted(names, key=lambda name: (name.split(".")[0] != first, name != primary, order.index(name))):
        try:
            compared = compare(name, arms, seed)
        except CompareError as error:
            if name == primary:
                raise
            notes.append(f"{name} is not reported: {error.message}.")
            continue
        metrics[name] = _metric(name, arms, compared, name == primary)
        notes += [f"{name}: {arm} has no number at all; what is said of the student leaves it out, and should not be "
                  "relied on before it is known why." for arm in compared.lost]  # fmt: skip
    return _adjusted(metrics), notes


def compare(name: str, arms: Sequence[Arm], seed: int) -> Compared:
    """Every arm that has a metric; several training seeds of the student are one arm.

    Raises:
        CompareError: no item was scored by all of them, or too few.
    """
    suite, metric = name.split(".", 1)
    # All arms have the same items. They are sorted so that one seed draws the same resamples whatever the order of the files.
    asked = sorted(key for key in arms[0].items if key[0] == suite)
    scored = {arm.name: [metric in arm.items[key].metrics for key in asked] for arm in arms}
    having = [arm.name for arm in arms if any(scored[arm.name])]
    by_item = list(zip(*(scored[arm] for arm in having), strict=True))
    keys = [key for key, found in zip(asked, by_item, strict=True) if all(found)]
    if not keys:
        raise CompareError(f"no item was scored by all of {', '.join(having)}", where=name)
    left_out = sum(map(any, by_item)) - len(keys)
    scores = {arm.name: scores_of(arm, metric, keys) for arm in arms if arm.name in having}
    seeds = training_seeds(arms)
    own = [scores[arm] for arm in seeds if arm in scores]
    joined: dict[str, Scores | Sequence[Scores]] = {}
    for arm in scores:
        joined[STUDENT if arm in seeds else arm] = own if arm in seeds else scores[arm]
    panel = Panel(joined, right=arms[0].metrics[name].right, seed=seed)
    return Compared(panel, keys, left_out, [arm for arm in seeds if own and arm not in scores])


def _metric(name: str, arms: Sequence[Arm], compared: Compared, primary: bool) -> Metric:
    about, panel = arms[0].metrics[name], compared.panel
    tokenizers = {arm.name: arm.tokenizer if name.split(".", 1)[1] in PER_TOKEN else "" for arm in arms}
    pairs = [(a, b) for a, b in _pairs(list(panel.arms)) if tokenizers[a] == tokenizers[b]]
    differences = dict(zip(pairs, panel.paired(pairs, about.direction), strict=True))
    others = [arm for arm in panel.arms if arm not in (TEACHER, BASE, STUDENT)]
    recovered = {arm: _recovered(arm, panel, tokenizers, about.direction) for arm in [STUDENT, *others]}
    counted = about.counts_from_zero and not name.endswith(f".{OF_TEACHER}") and {TEACHER, STUDENT} <= panel.arms.keys()
    return Metric(
        direction=about.direction,
        unit=about.unit,
        meaning=about.meaning,
        primary=primary,
        items=digest(compared.keys)[:16],
        left_out=compared.left_out,
        arms={arm: score_of(panel.mean(arm)) for arm in panel.arms},
        paired=tuple(pair_of(a, b, found) for (a, b), found in differences.items()),
        gap_recovered=recovered.pop(STUDENT),
        checkpoints=recovered,
        retention=ratio_of(panel.retention(TEACHER, STUDENT)) if counted else None,
        seeds=_seeds(compared, training_seeds(arms)),
    )


def scores_of(arm: Arm, metric: str, keys: Sequence[Key]) -> Scores:
    items = [arm.items[key] for key in keys]
    values, weights = zip(*(item.metrics[metric] for item in items), strict=True)
    return Scores([item for _, item in keys], values, weights, [item.root for item in items])


def _pairs(arms: Sequence[str]) -> list[tuple[str, str]]:
    """Which differences are worth a line: student, base and teacher among themselves, the student against one of real rows
    alone, which is what the teacher added, others against base and student."""
    first = [(STUDENT, BASE), (STUDENT, TEACHER), (BASE, TEACHER), (STUDENT, REAL_ONLY), (REAL_ONLY, BASE)]
    others = [arm for arm in arms if arm not in (TEACHER, BASE, STUDENT, REAL_ONLY)]
    wanted = first + [(arm, reference) for arm in others for reference in (BASE, STUDENT)]
    there = set(combinations(arms, 2)) | {(b, a) for a, b in combinations(arms, 2)}
    return [pair for pair in wanted if pair in there]


def score_of(mean: Interval) -> Score:
    return Score(mean=mean.value, ci95=(mean.low, mean.high), n=mean.n)


def _seeds(compared: Compared, names: Sequence[str]) -> dict[str, Score]:
    """Each training seed by itself, where there are several."""
    own = [name for name in names if name not in compared.lost]
    if STUDENT not in compared.panel.arms or len(own) < 2:
        return {}
    return dict(zip(own, map(score_of, compared.panel.by_seed(STUDENT)), strict=True))


def pair_of(a: str, b: str, found: Paired) -> Pair:
    difference = found.difference
    return Pair(
        a=a,
        b=b,
        difference=difference.value,
        ci95=(difference.low, difference.high),
        p=found.p,
        detectable=found.detectable,
        needed=found.needed,
        verdict=found.verdict,
        n=difference.n,
        test=found.test,
    )


def _recovered(arm: str, panel: Panel, tokenizers: Mapping[str, str | None], direction: Direction) -> Recovered:
    needed = (TEACHER, BASE, arm)
    missing = [name for name in needed if name not in panel.arms]
    if missing:
        return Recovered(value=None, ci95=None, undefined=f"there is no score of {' and '.join(missing)}")
    if len({tokenizers[name] for name in needed}) > 1:
        reason = "the teacher's tokens are not the student's; bits_per_byte can be compared"
        return Recovered(value=None, ci95=None, undefined=reason)
    return ratio_of(panel.gap_recovered(TEACHER, BASE, arm, direction))


def ratio_of(found: Ratio) -> Recovered:
    if found.value is None or found.low is None or found.high is None:
        return Recovered(value=None, ci95=None, undefined=found.undefined)
    return Recovered(value=found.value, ci95=(found.low, found.high), undefined=None)


def _adjusted(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """Student against base with Holm's p, in the first metric of every suite but the one that decides.

    That one is a test by itself: it was named before the run, so that nobody could choose it among the others when their
    numbers were there. A suite's first metric stands for it: the further ones mostly say the same in another unit, and are
    no tests of their own. What Holm's p does not allow is called neither better nor worse.
    """
    decides = next(name.split(".")[0] for name, metric in metrics.items() if metric.primary)
    tested: dict[str, tuple[str, int]] = {}
    for name, metric in metrics.items():
        for index, pair in enumerate(metric.paired):
            if (pair.a, pair.b) == PROVED and name.split(".")[0] != decides:
                tested.setdefault(name.split(".")[0], (name, index))
    found = dict(metrics)
    for suite, p in holm({suite: metrics[name].paired[index].p for suite, (name, index) in tested.items()}).items():
        name, index = tested[suite]
        pairs = list(found[name].paired)
        verdict = pairs[index].verdict if p < 1 - LEVEL else "cannot tell"
        pairs[index] = pairs[index].model_copy(update={"p_holm": p, "verdict": verdict})
        found[name] = found[name].model_copy(update={"paired": tuple(pairs)})
    return found
