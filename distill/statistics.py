"""scores by item -> means, differences and the gap recovered, with intervals that can be believed.

It knows nothing of models, suites or files. Every estimate is a ratio of two sums over items, `sum(w v) / sum(w)`: a
loss per token weighs an answer by its tokens. What is resampled are roots, not items, because answers to one prompt
resemble each other: an interval that takes them for independent is too short (Miller 2024, arXiv:2411.00640). One seed
gives one set of resamples, whatever the order of the items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

from distill.errors import CompareError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

LEVEL = 0.95
POWER = 0.8
RESAMPLES = 10_000
FEWEST = 6
"""Prompts under which no gap is stated: an interval from fewer covers less than it says."""
CHUNK = 1_000_000  # resampled roots worked on at once: 8 MB an array

Direction = Literal["lower", "higher"]
Choice = Literal["better", "worse", "cannot tell"]


@dataclass(frozen=True)
class Scores:
    """One arm's values of one metric on one suite, an entry an item. Items that failed are left out by the caller.

    Raises:
        CompareError: no items, an item twice, a value that is not finite, a weight that is not above zero.
    """

    items: Sequence[str]
    values: Sequence[float]
    weights: Sequence[float]
    roots: Sequence[str]

    def __post_init__(self) -> None:
        assert len(self.items) == len(self.values) == len(self.weights) == len(self.roots)
        if not len(self.items):
            raise CompareError("there is no item to take a mean of")
        if len(set(self.items)) < len(self.items):
            raise CompareError("an item is scored twice by one arm")
        for item, value, weight in zip(self.items, self.values, self.weights, strict=True):
            if not (math.isfinite(value) and math.isfinite(weight) and weight > 0):
                raise CompareError(f"value {value} with weight {weight} cannot be averaged", where=f"item {item}")


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95% interval."""

    value: float
    low: float
    high: float
    n: int
    """Items."""


@dataclass(frozen=True)
class Paired:
    """Arm a against arm b on the items both have."""

    a: float
    b: float
    """Means on the shared items."""
    difference: Interval
    """a - b."""
    p: float
    """Two-sided, of the hypothesis that the arms are exchangeable."""
    detectable: float
    """The smallest true difference that this many items show with 80% power."""
    needed: int | None
    """Items needed for that power if the true difference is the one seen; None where it is zero."""
    verdict: Choice
    """What may be said of a beside b."""


@dataclass(frozen=True)
class Gap:
    """(student - base) / (teacher - base): 0 is the base, 1 the teacher, neither is a limit.

    The numbers are None where `undefined` says why.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    undefined: str | None = None


def mean(scores: Scores, *, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Weighted mean of an arm."""
    sums = _sums([scores])
    draws = _ratios(_resampled(sums, seed, resamples))
    return expanded(float(_ratios(sums.sum(0))[0]), draws[:, 0], len(sums), len(scores.items))


def paired(a: Scores, b: Scores, direction: Direction, *, seed: int = 0, resamples: int = RESAMPLES) -> Paired:
    """Difference a - b on the items both arms scored: interval by paired bootstrap, p by swapping the arms' labels.

    `better` and `worse` need three things: the interval excludes zero; p is below 0.05, which five roots or fewer
    cannot reach, so that a bootstrap of almost nothing decides nothing; and the difference is as large as what these
    items detect with 80% power. A smaller one that happens to be significant is likely to be exaggerated and may have
    the wrong sign (Gelman and Carlin 2014, Perspectives on Psychological Science 9): more items are needed, and
    `needed` says how many.
    """
    sums = _sums([a, b])
    n = _shared_count([a, b])
    value_a, value_b = (float(value) for value in _ratios(sums.sum(0)))
    draws = _ratios(_resampled(sums, seed, resamples))
    difference = expanded(value_a - value_b, draws[:, 0] - draws[:, 1], len(sums), n)
    p = _swap_p(sums, seed, resamples)
    detectable = (NormalDist().inv_cdf((1 + LEVEL) / 2) + NormalDist().inv_cdf(POWER)) * _standard_error(sums)
    size = abs(difference.value)
    clear = (difference.low > 0 or difference.high < 0) and p < 1 - LEVEL and size >= detectable
    verdict: Choice = "cannot tell"
    if clear:
        verdict = "better" if (difference.value > 0) == (direction == "higher") else "worse"
    needed = math.ceil(n * (detectable / size) ** 2) if size else None
    return Paired(value_a, value_b, difference, p, detectable, needed, verdict)


def gap_recovered(
    teacher: Scores,
    base: Scores,
    student: Scores,
    direction: Direction,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Gap:
    """Share of the gap between base and teacher that the student closed, the three resampled together; never clipped.

    Burns et al. 2023 (arXiv:2312.09390), "performance gap recovered". Undefined where teacher and base cannot be told
    apart (the interval of their difference touches zero, its p is not small, or some resamples are ties: a ratio to
    nothing has no interval), where the prompts are too few for either to mean much, and where the teacher is the worse.
    """
    sums = _sums([teacher, base, student])
    n = _shared_count([teacher, base, student])
    top, bottom, middle = (float(value) for value in _ratios(sums.sum(0)))
    if len(sums) < FEWEST:
        return Gap(None, None, None, n, f"{len(sums)} prompts are too few for a ratio of differences")
    draws = _ratios(_resampled(sums, seed, resamples))
    width = draws[:, 0] - draws[:, 1]
    gap = expanded(top - bottom, width, len(sums), n)
    apart = _swap_p(sums[:, [0, 1, 3, 4]], seed, resamples) < 1 - LEVEL
    if gap.low <= 0 <= gap.high or not apart or not width.all():
        return Gap(None, None, None, n, f"teacher and base cannot be told apart on {n} items")
    if (gap.value > 0) != (direction == "higher"):
        return Gap(None, None, None, n, "the teacher is worse than the base here")
    share = expanded((middle - bottom) / (top - bottom), (draws[:, 2] - draws[:, 1]) / width, len(sums), n)
    return Gap(share.value, share.low, share.high, n)


def _shared(arms: Sequence[Scores]) -> list[str]:
    """Ids of the items that every arm has, sorted."""
    return sorted(set(arms[0].items).intersection(*(arm.items for arm in arms[1:])))


def _shared_count(arms: Sequence[Scores]) -> int:
    return len(_shared(arms))


def _sums(arms: Sequence[Scores]) -> Array:
    """(C, 2 m): for each of C roots the sum of w v of each of m arms, then the sum of w of each, over the shared items.

    Raises:
        CompareError: fewer than two roots, of which nothing can be resampled.
    """
    import numpy as np

    shared = _shared(arms)
    root_of = dict(zip(arms[0].items, arms[0].roots, strict=True))
    roots, cluster = np.unique(np.array([root_of[item] for item in shared], dtype=str), return_inverse=True)
    if len(roots) < 2:
        raise CompareError(
            f"the arms share {len(shared)} items from {len(roots)} prompts, too few for an interval",
            hint="hold out more prompts: split.held_out_prompts",
        )
    tops, bottoms = [], []
    for arm in arms:
        place = {item: index for index, item in enumerate(arm.items)}
        order = [place[item] for item in shared]
        weights = np.asarray(arm.weights, dtype=np.float64)[order]
        values = np.asarray(arm.values, dtype=np.float64)[order]
        tops.append(np.bincount(cluster, weights * values))
        bottoms.append(np.bincount(cluster, weights))
    return np.stack(tops + bottoms, axis=1)


def _ratios(sums: Array) -> Array:
    """(…, 2 m) sums -> (…, m) weighted means."""
    arms = sums.shape[-1] // 2
    return sums[..., :arms] / sums[..., arms:]


def _resampled(sums: Array, seed: int, resamples: int) -> Array:
    """(C, 2 m) -> (resamples, 2 m): totals over C roots drawn with replacement, the same roots for every column."""
    import numpy as np

    step = max(1, CHUNK // len(sums))
    parts = []
    for chunk, start in enumerate(range(0, resamples, step)):
        counts = _counts(len(sums), min(step, resamples - start), seed, chunk)
        parts.append(counts.astype(np.float64) @ sums)
    return np.concatenate(parts)


@lru_cache(maxsize=128)  # at most 128 MB: 10,000 resamples of 10,000 roots are drawn once for all arms and metrics
def _counts(roots: int, rows: int, seed: int, chunk: int) -> npt.NDArray[np.uint8]:
    """(rows, roots): how often each root is drawn in each resample."""
    import numpy as np

    rng = np.random.default_rng([seed, 0, chunk])
    picked = rng.integers(0, roots, size=(rows, roots), dtype=np.int32)
    picked += np.arange(0, rows * roots, roots, dtype=np.int32)[:, None]
    return np.bincount(picked.ravel(), minlength=rows * roots).reshape(rows, roots).astype(np.uint8)


def expanded(value: float, draws: Array, roots: int, n: int) -> Interval:
    """Expanded percentile interval: the plain one is too short by sqrt(1 - 1/n) and takes a t for a normal.

    Hesterberg 2015, "What Teachers Should Know About the Bootstrap" (The American Statistician 69). With 128 roots it
    is 1.4% wider than the plain one, with ten 22%.
    """
    import numpy as np

    tail = NormalDist().cdf(-math.sqrt(roots / (roots - 1)) * t_quantile((1 + LEVEL) / 2, roots - 1))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(value, float(low), float(high), n)


def t_quantile(level: float, freedom: int) -> float:
    """Quantile of Student's t, by the expansion of Abramowitz and Stegun 26.7.5: within 0.2% from three degrees on."""
    x = NormalDist().inv_cdf(level)
    terms = (
        x,
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return math.fsum(term / freedom**power for power, term in enumerate(terms))


def _standard_error(sums: Array) -> float:
    """Linearised standard error of the difference of two ratios, by roots (Cochran 1977, chapter 6)."""
    import numpy as np

    total, means = sums.sum(0), _ratios(sums.sum(0))
    residual = (sums[:, :2] - means * sums[:, 2:]) / total[2:]
    difference = residual[:, 0] - residual[:, 1]
    roots = len(sums)
    return float(np.sqrt(roots / (roots - 1) * np.square(difference).sum()))


def _swap_p(sums: Array, seed: int, resamples: int) -> float:
    """Share of random label swaps whose difference is at least as large as the one seen.

    If the arms do not differ, either could have given either answer to a prompt. The observed labelling is one of those
    counted, so that p is never zero (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585).
    """
    import numpy as np

    rng = np.random.default_rng([seed, 1])
    roots, total = len(sums), sums.sum(0)
    change = sums[:, [1, 3]] - sums[:, [0, 2]]  # what a gains, and b loses, by a swap
    seen = abs(total[0] / total[2] - total[1] / total[3])
    step = max(1, CHUNK // roots)
    extreme = 0
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        bits = rng.integers(0, 256, size=(rows, -(-roots // 8)), dtype=np.uint8)
        moved = np.unpackbits(bits, axis=1, count=roots).astype(np.float64) @ change
        a, b = total[[0, 2]] + moved, total[[1, 3]] - moved
        # Sums in another order differ in the last digits: an equal difference must count as one.
        extreme += int((np.abs(a[:, 0] / a[:, 1] - b[:, 0] / b[:, 1]) >= seen * (1 - 1e-9)).sum())
    return (1 + extreme) / (1 + resamples)
