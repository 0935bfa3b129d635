"""arms -> a Metric per suite and measure: means, paired differences, gap recovered, on the items all arms scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from distill import statistics
from distill.compare.arms import BASE, STUDENT, TEACHER, Arm, Key
from distill.compare.report import Metric, Pair, Recovered, Score
from distill.errors import CompareError
from distill.rows import digest

PER_TOKEN = frozenset({"loss", "agreement", "kl"})
"""Means over tokens: between two vocabularies they are means over different things."""


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
            hint=f"there are: {', '.join(names)}",
        )
    metrics: dict[str, Metric] = {}
    notes: list[str] = []
    first = primary.split(".")[0]
    order = list(arms[0].metrics)
    for name in sorted(names, key=lambda name: (name.split(".")[0] != first, name != primary, order.index(name))):
        try:
            metrics[name] = _metric(name, arms, name == primary, seed)
        except CompareError as error:
            if name == primary:
                raise
            notes.append(f"{name} is not reported: {error.message}.")
    return metrics, notes


def _metric(name: str, arms: Sequence[Arm], primary: bool, seed: int) -> Metric:
    suite, metric = name.split(".", 1)
    about = arms[0].metrics[name]
    having = {arm.name: found for arm in arms if (found := _scored(arm, suite, metric))}
    anywhere, everywhere = set().union(*having.values()), set.intersection(*having.values())
    if not everywhere:
        raise CompareError(f"no item was scored by all of {', '.join(having)}", where=name)
    # Ids are sorted so that one seed draws the same resamples whatever the order of the files.
    keys = sorted(everywhere)
    scores = {arm.name: scores_of(arm, metric, keys) for arm in arms if arm.name in having}
    means = {arm: statistics.mean(values, seed=seed) for arm, values in scores.items()}
    tokenizers = {arm.name: arm.tokenizer if metric in PER_TOKEN else "" for arm in arms}
    others = [arm for arm in scores if arm not in (TEACHER, BASE, STUDENT)]
    recovered = {arm: _recovered(arm, scores, tokenizers, about.direction, seed) for arm in [STUDENT, *others]}
    return Metric(
        direction=about.direction,
        unit=about.unit,
        meaning=about.meaning,
        primary=primary,
        items=digest(keys)[:16],
        left_out=len(anywhere) - len(everywhere),
        arms={arm: Score(mean=mean.value, ci95=(mean.low, mean.high), n=mean.n) for arm, mean in means.items()},
        paired=tuple(
            pair_of(a, b, scores, about.direction, seed)
            for a, b in _pairs(list(scores))
            if tokenizers[a] == tokenizers[b]
        ),
        gap_recovered=recovered.pop(STUDENT),
        checkpoints=recovered,
    )


def _scored(arm: Arm, suite: str, metric: str) -> set[Key]:
    return {key for key, item in arm.items.items() if key[0] == suite and metric in item.metrics}


def scores_of(arm: Arm, metric: str, keys: Sequence[Key]) -> statistics.Scores:
    items = [arm.items[key] for key in keys]
    values, weights = zip(*(item.metrics[metric] for item in items), strict=True)
    return statistics.Scores([item for _, item in keys], values, weights, [item.root for item in items])


def _pairs(arms: Sequence[str]) -> list[tuple[str, str]]:
    """Which differences are worth a line: student, base and teacher among themselves, others against base, student."""
    first = [(STUDENT, BASE), (STUDENT, TEACHER), (BASE, TEACHER)]
    others = [arm for arm in arms if arm not in (TEACHER, BASE, STUDENT)]
    wanted = first + [(arm, reference) for arm in others for reference in (BASE, STUDENT)]
    there = set(combinations(arms, 2)) | {(b, a) for a, b in combinations(arms, 2)}
    return [pair for pair in wanted if pair in there]


def pair_of(
    a: str, b: str, scores: Mapping[str, statistics.Scores], direction: statistics.Direction, seed: int
) -> Pair:
    found = statistics.paired(scores[a], scores[b], direction, seed=seed)
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
    )


def _recovered(
    arm: str,
    scores: Mapping[str, statistics.Scores],
    tokenizers: Mapping[str, str | None],
    direction: statistics.Direction,
    seed: int,
) -> Recovered:
    needed = (TEACHER, BASE, arm)
    missing = [name for name in needed if name not in scores]
    if missing:
        return Recovered(value=None, ci95=None, undefined=f"there is no score of {' and '.join(missing)}")
    if len({tokenizers[name] for name in needed}) > 1:
        reason = "the teacher's tokens are not the student's; bits_per_byte can be compared"
        return Recovered(value=None, ci95=None, undefined=reason)
    gap = statistics.gap_recovered(scores[TEACHER], scores[BASE], scores[arm], direction, seed=seed)
    if gap.value is None or gap.low is None or gap.high is None:
        return Recovered(value=None, ci95=None, undefined=gap.undefined)
    return Recovered(value=gap.value, ci95=(gap.low, gap.high), undefined=None)
