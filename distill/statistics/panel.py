"""arms on the items that all of them have -> means, differences, the gap recovered, retention, with intervals.

Every mean is a ratio of two sums over items, `sum(w v) / sum(w)`: a loss per token weighs an answer by its tokens. What is
resampled are roots, not items, because answers to one prompt resemble each other: an interval that takes them for
independent is too short (Miller 2024, arXiv:2411.00640). All arms meet the same resamples, so that whatever is made of
several arms is resampled jointly. One seed gives one set of resamples, whatever the order of the items.

An arm may be several trainings that differ in their seed. It is then their mean, and what is resampled are seeds and roots:
every seed answers the same items, so that items are drawn once for all seeds and not anew within each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from distill.errors import CompareError
from distill.statistics import resample, shares
from distill.statistics.intervals import expanded, spread, t_quantile, t_tail
from distill.statistics.scores import (
    FEWEST,
    LEVEL,
    POWER,
    RESAMPLES,
    Choice,
    Direction,
    Interval,
    Paired,
    Ratio,
    Scores,
    Test,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

ROUNDING = 1e-12

Of = Callable[..., Any]
"""What is made of arms' means: of numbers a number, of columns of draws a column."""


class Panel:
    def __init__(
        self,
        arms: Mapping[str, Scores | Sequence[Scores]],
        *,
        right: bool = False,
        seed: int = 0,
        resamples: int = RESAMPLES,
    ) -> None:
        """Args:
            arms: by name; several scores are several training seeds.
            right: an item is right, 1, or wrong, 0.

        Raises:
            CompareError: fewer than two roots, of which nothing can be resampled.
        """
        self.seed, self.resamples = seed, resamples
        self.arms = {name: (own,) if isinstance(own, Scores) else tuple(own) for name, own in arms.items()}
        columns = [scores for own in self.arms.values() for scores in own]
        ends = [sum(len(own) for own in list(self.arms.values())[:index]) for index in range(len(self.arms) + 1)]
        self.columns = {name: slice(*ends[index : index + 2]) for index, name in enumerate(self.arms)}
        self.tops, self.bottoms, self.n = _sums(columns)
        self.roots = len(self.tops)
        self.independent = right and self.roots == self.n and bool((self.bottoms == self.bottoms[0, 0]).all())
        if self.independent:
            self.tops, self.bottoms = self.tops / self.bottoms, self.bottoms / self.bottoms
            self.independent = bool(((self.tops == 0) | (self.tops == 1)).all())
        self._p: dict[frozenset[str], float] = {}

    def value(self, name: str) -> float:
        own = self.columns[name]
        return float((self.tops[:, own].sum(0) / self.bottoms[:, own].sum(0)).mean())

    def mean(self, name: str) -> Interval:
        if self.independent and self.seeds(name) == 1:
            right = round(self.tops[:, self.columns[name]].sum())
            return Interval(right / self.n, *shares.wilson(right, self.n), self.n)
        return self.estimate(lambda arm: arm, name)

    def by_seed(self, name: str) -> list[Interval]:
        """Every training seed alone, over roots."""
        own = range(self.columns[name].start, self.columns[name].stop)
        means = self.tops.sum(0) / self.bottoms.sum(0)
        return [expanded(float(means[column]), self._draws[:, column], self.roots, self.n) for column in own]

    def seeds(self, *names: str) -> int:
        """Training seeds of the arm that has most of them."""
        return max(len(self.arms[name]) for name in names)

    def estimate(self, of: Of, *names: str, level: float = LEVEL) -> Interval:
        """What is made of arms' means, with its interval."""
        value, drawn = float(of(*map(self.value, names))), of(*(self._drawn[name] for name in names))
        if self.seeds(*names) == 1:
            return expanded(value, drawn, self.roots, self.n, level)
        error, freedom, _ = self._error(of, *names)
        return spread(value, error, freedom, self.n, level)

    def difference(self, a: str, b: str, level: float = LEVEL) -> Interval:
        if self.independent and self.seeds(a, b) == 1:
            table = self._table(a, b)
            return Interval((table.a - table.b) / self.n, *shares.newcombe(table, level), self.n)
        return self.estimate(lambda one, other: one - other, a, b, level=level)

    def paired(self, pairs: Iterable[tuple[str, str]], direction: Direction) -> list[Paired]:
        """Every a - b: exact McNemar where items are right or wrong and independent, else p by swapping labels by root.

        `better` and `worse` need three things: the interval excludes zero; p is below 0.05, which five roots or fewer
        cannot reach, so that a bootstrap of almost nothing decides nothing; and the difference is as large as what these
        items detect with 80% power. A smaller one that happens to be significant is likely to be exaggerated and may have
        the wrong sign (Gelman and Carlin 2014, Perspectives on Psychological Science 9): more items are needed, and
        `needed` says how many.
        """
        pairs = list(pairs)
        self._swap(pairs)
        return [self._pair(a, b, direction) for a, b in pairs]

    def gap_recovered(self, teacher: str, base: str, student: str, direction: Direction) -> Ratio:
        """Share of the gap between base and teacher that the student closed, the three resampled together; never clipped.

        Burns et al. 2023 (arXiv:2312.09390), "performance gap recovered". Undefined where teacher and base cannot be
        told apart (the interval of their difference touches zero, its p is not small, or some resamples are ties: a
        ratio to nothing has no interval), where the prompts are too few for either to mean much, and where the teacher
        is the worse.
        """
        if self.roots < FEWEST:
            return Ratio(None, None, None, self.n, f"{self.roots} prompts are too few for a ratio of differences")
        (apart,) = self.paired([(teacher, base)], direction)
        low, high = apart.difference.low, apart.difference.high
        tied = not (self._drawn[teacher] - self._drawn[base]).all()
        if low <= 0 <= high or apart.p >= 1 - LEVEL or tied:
            return Ratio(None, None, None, self.n, f"teacher and base cannot be told apart on {self.n} items")
        if (apart.difference.value > 0) != (direction == "higher"):
            return Ratio(None, None, None, self.n, "the teacher is worse than the base here")
        share = self.estimate(lambda t, b, s: (s - b) / (t - b), teacher, base, student)
        return Ratio(share.value, share.low, share.high, self.n)

    def retention(self, teacher: str, student: str) -> Ratio:
        """student / teacher, resampled together, for metrics that count from a true zero."""
        if self.roots < FEWEST:
            return Ratio(None, None, None, self.n, f"{self.roots} prompts are too few for a ratio")
        if self.mean(teacher).low <= 0 or not (self._drawn[teacher] > 0).all():
            return Ratio(None, None, None, self.n, f"the teacher's mean cannot be told from 0 on {self.n} items")
        share = self.estimate(lambda t, s: s / t, teacher, student)
        return Ratio(share.value, share.low, share.high, self.n)

    def needed(self, size: float, reach: float, contrast: Mapping[str, float]) -> int | None:
        """Items with which `reach` standard errors of a sum of arms' means are as long as `size`.

        None where no number of items would do.
        """
        total, _, by_seeds = self.error(contrast)
        left = (size / reach) ** 2 - by_seeds
        return math.ceil(self.n * (total**2 - by_seeds) / left) if left > 0 else None

    def error(self, contrast: Mapping[str, float]) -> tuple[float, float, float]:
        """Standard error of a sum of arms' means, each times a factor, its degrees of freedom, and the variance by seeds.

        Over roots it is linearised (Cochran 1977, chapter 6), over seeds taken from draws.
        """
        import numpy as np

        if self.seeds(*contrast) > 1:
            return self._error(
                lambda *means: sum(c * m for c, m in zip(contrast.values(), means, strict=True)), *contrast
            )
        parts = sum(factor * self._residual(name) for name, factor in contrast.items())
        return math.sqrt(self.roots / (self.roots - 1) * float(np.square(parts).sum())), self.roots - 1, 0.0

    @cached_property
    def _draws(self) -> Array:
        """(resamples, columns): means of every column over resampled roots."""
        import numpy as np

        # The arms' weights are mostly the same, as all answered the same items: each is drawn once.
        distinct = {column.tobytes(): column for column in self.bottoms.T}
        place = [list(distinct).index(column.tobytes()) for column in self.bottoms.T]
        drawn = resample.totals(np.column_stack([self.tops, *distinct.values()]), self.seed, self.resamples)
        width = self.tops.shape[1]
        means: Array = drawn[:, :width] / drawn[:, width:][:, place]
        return means

    @cached_property
    def _drawn(self) -> dict[str, Array]:
        """Each arm's means over resampled roots, its seeds with equal weight."""
        return {name: self._draws[:, own].mean(1) for name, own in self.columns.items()}

    @cached_property
    def _nested(self) -> dict[str, Array]:
        """The same over resampled seeds too."""
        nested = dict(self._drawn)
        for name, own in self.arms.items():
            if len(own) > 1:
                weights = resample.seed_weights(len(own), self.seed, self.resamples)
                nested[name] = (self._draws[:, self.columns[name]] * weights).sum(1)
        return nested

    def _error(self, of: Of, *names: str) -> tuple[float, float, float]:
        """Standard error over seeds and roots, its degrees of freedom (Satterthwaite 1946), and the part that is seeds'."""
        by_roots = float(of(*(self._drawn[name] for name in names)).var()) * self.roots / (self.roots - 1)
        if (seeds := self.seeds(*names)) == 1:
            return math.sqrt(by_roots), self.roots - 1, 0.0
        both = float(of(*(self._nested[name] for name in names)).var()) * self.roots / (self.roots - 1)
        by_seeds = max(both - by_roots, 0.0)
        both = by_seeds + by_roots
        parts = by_seeds**2 / (seeds - 1) + by_roots**2 / (self.roots - 1)
        return math.sqrt(both), (both**2 / parts if parts else 1.0), by_seeds

    def _pair(self, a: str, b: str, direction: Direction) -> Paired:
        difference = self.difference(a, b)
        size = abs(difference.value)
        if size < ROUNDING * max(abs(self.value(a)), abs(self.value(b))):
            size = 0.0  # a mean over equal seeds differs from one of them in its last digit
        apart = {a: 1.0, b: -1.0}
        error, freedom, _ = self.error(apart)
        if self.seeds(a, b) > 1:
            floor = 1 / (1 + self.resamples)
            p = max(floor, 2 * t_tail(size / error, freedom)) if size and error else (floor if size else 1.0)
            reach = t_quantile((1 + LEVEL) / 2, freedom) + t_quantile(POWER, freedom)
        else:
            p = self._p[frozenset((a, b))]
            reach = NormalDist().inv_cdf((1 + LEVEL) / 2) + NormalDist().inv_cdf(POWER)
        detectable = reach * error
        needed = self.needed(size, reach, apart) if size else None
        clear = (difference.low > 0 or difference.high < 0) and p < 1 - LEVEL and size >= detectable
        verdict: Choice = "cannot tell"
        if clear:
            verdict = "better" if (difference.value > 0) == (direction == "higher") else "worse"
        test: Test = "seeds" if self.seeds(a, b) > 1 else "mcnemar" if self.independent else "swap"
        return Paired(self.value(a), self.value(b), difference, p, detectable, needed, verdict, test)

    def _swap(self, pairs: Sequence[tuple[str, str]]) -> None:
        """p of every pair that has none yet.

        The share of random label swaps whose difference is at least as large as the one seen: if the arms do not
        differ, either could have given either answer to a prompt. The observed labelling is one of those counted, so
        that p is never zero (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585).
        """
        import numpy as np

        new = [pair for pair in pairs if self.seeds(*pair) == 1 and frozenset(pair) not in self._p]
        if self.independent:
            self._p |= {frozenset(pair): shares.mcnemar(self._table(*pair)) for pair in new}
            return
        if not new:
            return
        a, b = ([self.columns[pair[side]].start for pair in new] for side in (0, 1))
        tops, bottoms = (sums[:, b] - sums[:, a] for sums in (self.tops, self.bottoms))  # what a gains by a swap
        uneven = bottoms.any(0)
        moved = resample.swapped(np.hstack([tops, bottoms[:, uneven]]), self.seed, self.resamples)
        top, bottom = moved[:, : len(new)], np.zeros((self.resamples, len(new)))
        bottom[:, uneven] = moved[:, len(new) :]
        all_tops, all_bottoms = self.tops.sum(0), self.bottoms.sum(0)
        seen = abs(all_tops[a] / all_bottoms[a] - all_tops[b] / all_bottoms[b])
        swapped = (all_tops[a] + top) / (all_bottoms[a] + bottom) - (all_tops[b] - top) / (all_bottoms[b] - bottom)
        # Sums in another order differ in the last digits: an equal difference must count as one.
        extreme = (np.abs(swapped) >= seen * (1 - 1e-9)).sum(0)
        self._p |= {frozenset(pair): (1 + int(extreme[i])) / (1 + self.resamples) for i, pair in enumerate(new)}

    def _residual(self, name: str) -> Array:
        top, bottom = (sums[:, self.columns[name].start] for sums in (self.tops, self.bottoms))
        residual: Array = (top - top.sum() / bottom.sum() * bottom) / bottom.sum()
        return residual

    def _table(self, a: str, b: str) -> shares.Table:
        one, other = (self.tops[:, self.columns[name].start] for name in (a, b))
        both, alone = int((one * other).sum()), int((one * (1 - other)).sum())
        behind = int((other * (1 - one)).sum())
        return shares.Table(both, alone, behind, self.n - both - alone - behind)


def _sums(columns: Sequence[Scores]) -> tuple[Array, Array, int]:
    """(C, m) twice: for each of C roots the sum of w v and of w in each of m columns, over the shared items; their number."""
    import numpy as np

    first = list(columns[0].items)
    same = all(list(scores.items) == first for scores in columns[1:])
    shared = sorted(first if same else set(first).intersection(*(scores.items for scores in columns[1:])))
    root_of = dict(zip(first, columns[0].roots, strict=True))
    roots, cluster = np.unique(np.array([root_of[item] for item in shared], dtype=str), return_inverse=True)
    if len(roots) < 2:
        raise CompareError(
            f"the arms share {len(shared)} items from {len(roots)} prompts, too few for an interval",
            hint="hold out more prompts: split.held_out_prompts",
        )
    tops, bottoms = [], []
    for scores in columns:
        if scores is columns[0] or not same:
            place = {item: index for index, item in enumerate(scores.items)}
            order = [place[item] for item in shared]
        weights = np.asarray(scores.weights, dtype=np.float64)[order]
        values = np.asarray(scores.values, dtype=np.float64)[order]
        tops.append(np.bincount(cluster, weights * values))
        bottoms.append(np.bincount(cluster, weights))
    return np.stack(tops, axis=1), np.stack(bottoms, axis=1), len(shared)
