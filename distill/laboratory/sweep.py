"""Sweep -> the share of teacher rows at which students are best, with a 95% interval, and what can be said of it.

Mean losses by share are fitted by a parabola. Where they lie further from it than noise lets them, by a curve that falls and then
rises in any way (least squares, by pooling neighbours that are out of order), whose lowest point is one of the shares tried. Its
interval reaches to their neighbours.

What is drawn anew are roots of items, the same for all shares, and noise of training seeds. That is taken from how far single
trainings lie from what their share and their seed have in common, over all shares together: three seeds alone say little of it.
As the noise is known from few trainings, it is drawn from a t distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from distill.compare.value import Interval
from distill.errors import CompareError
from distill.laboratory.curves import Over
from distill.laboratory.record import Sweep
from distill.statistics import resample

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

RESAMPLES = 2000
LEVEL = 0.05
MISFIT = 0.2
"""Below this p a parabola is given up: easily, as a curve of the wrong form has intervals that say too much."""
ROUNDING = 1e-9
GRID = 101
"""Shares at which the curve is looked at."""

Kind = Literal["parabola", "line", "falls and rises"]
Fitted = Callable[["Array"], "Array"]
"""(draws, shares tried) losses -> (draws, GRID) the curve."""


@dataclass(frozen=True)
class Tried:
    """Students of one share."""

    share: float
    loss: float
    ci95: Interval | None
    """Of where it lies beside the other shares: what items and seeds do to all of them alike is left out."""
    above: float
    """The curve's lowest loss is lower than this by so much, and its interval."""
    above_ci95: Interval | None
    seeds: int


@dataclass(frozen=True)
class Fit:
    kind: Kind
    tried: tuple[Tried, ...]
    curve: tuple[tuple[float, float, Interval | None], ...]
    """Share, loss and its 95% interval, of the same kind, from the least share tried to the greatest."""
    best: float
    """The share at which the curve is lowest."""
    ci95: Interval | None
    """Of that share; None where neither seeds nor items are there to draw anew."""
    p_flat: float | None
    """How often noise alone bends a curve as much as this, where no share is better than another."""
    p_kind: float | None
    """How often noise alone takes means as far from a parabola as these."""
    over: Over

    @property
    def flat(self) -> bool:
        """Whether no share can be told from another."""
        return self.p_flat is None or self.p_flat >= LEVEL

    @property
    def end(self) -> Literal["least", "greatest"] | None:
        """Where the best is the least or the greatest share tried: beyond it may be better."""
        found: dict[float, Literal["least", "greatest"]] = {self.curve[0][0]: "least", self.curve[-1][0]: "greatest"}
        return found.get(self.best)


def fit(sweep: Sweep, seed: int = 0, resamples: int = RESAMPLES) -> Fit:
    """Raises:
    CompareError: fewer than two shares were tried."""
    import numpy as np

    shares = np.array(sorted({point.share for point in sweep.points}))
    if len(shares) < 2:
        raise CompareError(f"{len(shares)} shares of teacher rows were tried, and a curve needs two", where=sweep.name)
    means = np.array([np.mean([point.loss for point in sweep.points if point.share == share]) for share in shares])
    noise, over = _noise(sweep, shares, seed, resamples)
    draws = means + noise
    grid = np.linspace(shares[0], shares[-1], GRID).round(6)
    kind: Kind = "line" if len(shares) == 2 else "parabola"
    curve, p_kind = _polynomial(shares, grid, 1 if kind == "line" else 2), None
    if over != "nothing" and len(shares) > 3:
        p_kind = _p(_left(shares, means), _left(shares, noise), float(means.mean()))
        if p_kind < MISFIT:
            kind, curve = "falls and rises", _unimodal(shares, grid)
    at = curve(means[None])[0]
    lines = curve(draws)
    lowest, known = int(at.argmin()), over != "nothing"
    alike = noise.mean(1, keepdims=True)
    above = draws - lines[:, lowest : lowest + 1]

    def ends(found: Array) -> Interval | None:
        return _ends(found) if known else None

    tried = [
        Tried(
            share=float(share),
            loss=float(mean),
            ci95=ends((draws - alike)[:, index]),
            above=float(mean - at[lowest]),
            above_ci95=ends(above[:, index]),
            seeds=sum(point.share == share for point in sweep.points),
        )
        for index, (share, mean) in enumerate(zip(shares, means, strict=True))
    ]
    band = [ends(column) for column in (lines - alike).T]
    return Fit(
        kind=kind,
        tried=tuple(tried),
        curve=tuple(zip(grid.tolist(), at.tolist(), band, strict=True)),
        best=float(grid[lowest]),
        ci95=_around(ends(grid[lines.argmin(1)]), shares) if kind == "falls and rises" else ends(grid[lines.argmin(1)]),
        p_flat=_p(means - means.mean(), noise - alike, float(means.mean())) if known else None,
        p_kind=p_kind,
        over=over,
    )


def _around(ci95: Interval | None, shares: Array) -> Interval | None:
    """As far as the neighbours of shares that were tried: between them a curve of any form may be lowest anywhere."""
    if ci95 is None:
        return None
    below, above = shares[shares < ci95[0]], shares[shares > ci95[1]]
    return float(below[-1] if len(below) else shares[0]), float(above[0] if len(above) else shares[-1])


def _ends(draws: Array) -> Interval:
    import numpy as np

    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def _p(found: Array, noise: Array, scale: float) -> float:
    """How often noise is as large as what was found, each direction measured by how far noise goes in it.

    Args:
        found: (k,), of which nothing is expected.
        noise: (resamples, k).
        scale: of losses: what is smaller by the digits of a number is none.
    """
    import numpy as np

    rounding = (ROUNDING * scale) ** 2 * np.eye(
        len(found)
    )  # a direction without noise is one in which nothing is by chance
    inverse = np.linalg.inv(np.cov(noise, rowvar=False) + rounding)
    size = float(found @ inverse @ found)
    sizes = np.einsum("ri,ij,rj->r", noise, inverse, noise)
    return (1 + int((sizes >= size - ROUNDING).sum())) / (1 + len(noise))


def _left(shares: Array, losses: Array) -> Array:
    """What a parabola leaves of losses, (…, shares)."""
    import numpy as np

    powers = np.vander(shares, 3)
    left: Array = losses - losses @ (powers @ np.linalg.pinv(powers)).T
    return left


def _polynomial(shares: Array, grid: Array, degree: int) -> Fitted:
    import numpy as np

    matrix = np.vander(grid, degree + 1) @ np.linalg.pinv(np.vander(shares, degree + 1))
    return lambda losses: np.asarray(losses @ matrix.T)


def _unimodal(shares: Array, grid: Array) -> Fitted:
    import numpy as np

    return lambda losses: np.stack([np.interp(grid, shares, falls_and_rises(one)) for one in losses])


def falls_and_rises(values: Array) -> Array:
    """The nearest values, by least squares, that fall up to one place and rise from it on."""
    import numpy as np

    tries = [np.concatenate([-_rising(-values[:turn]), _rising(values[turn:])]) for turn in range(len(values))]
    return min(tries, key=lambda one: float(np.square(values - one).sum()))


def _rising(values: Array) -> Array:
    """The nearest values that never fall: neighbours out of order are pooled (Ayer et al. 1955)."""
    import numpy as np

    pools: list[tuple[float, int]] = []
    for value in values:
        pools.append((float(value), 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (one, few), (other, more) = pools[-2:]
            pools[-2:] = [((one * few + other * more) / (few + more), few + more)]
    return np.array([mean for mean, count in pools for _ in range(count)])


def _noise(sweep: Sweep, shares: Array, seed: int, resamples: int) -> tuple[Array, Over]:
    """(resamples, shares): how far the means of other items and other trainings would lie from these."""
    import numpy as np

    by_items = _by_items(sweep, shares, seed, resamples)
    by_seeds = _by_seeds(sweep, shares, seed, resamples)
    if by_items is None and by_seeds is None:
        return np.zeros((resamples, len(shares))), "nothing"
    if by_items is None or by_seeds is None:
        found = by_seeds if by_items is None else by_items
        assert found is not None
        return found, "seeds" if by_items is None else "items"
    return by_items + by_seeds, "seeds and items"


def _by_items(sweep: Sweep, shares: Array, seed: int, resamples: int) -> Array | None:
    """None where losses by item are not known of all, or are of one root."""
    import numpy as np

    if not sweep.items or not all(point.losses for point in sweep.points):
        return None
    losses = np.array([point.losses for point in sweep.points], dtype=np.float64)  # None is nan
    there = np.isfinite(losses).all(0)
    roots, cluster = np.unique(np.array([item.root for item in sweep.items])[there], return_inverse=True)
    if len(roots) < 2:
        return None
    weights = np.array([item.tokens for item in sweep.items], dtype=np.float64)[there]
    means = np.stack([losses[[point.share == share for point in sweep.points]][:, there].mean(0) for share in shares])
    columns = [np.bincount(cluster, weights * one) for one in (*means, np.ones(len(weights)))]
    sums = np.stack(columns, axis=1).astype(np.float64)
    drawn = resample.totals(sums, seed, resamples)
    away = drawn[:, :-1] / drawn[:, -1:] - sums[:, :-1].sum(0) / sums[:, -1].sum()
    widened: Array = away * math.sqrt(len(roots) / (len(roots) - 1))
    return widened


def _by_seeds(sweep: Sweep, shares: Array, seed: int, resamples: int) -> Array | None:
    """None of one seed a share."""
    import numpy as np

    seeds = sorted({point.seed for point in sweep.points})
    losses = np.full((len(shares), len(seeds)), np.nan)
    for point in sweep.points:
        losses[np.searchsorted(shares, point.share), seeds.index(point.seed)] = point.loss
    counts = np.isfinite(losses).sum(1)
    left = losses - np.nanmean(losses, axis=1, keepdims=True)
    freedom = int((counts - 1).sum())
    if np.isfinite(losses).all() and len(seeds) > 1:  # what a seed does to all shares moves no share beside another
        left = left - left.mean(0)
        freedom = (len(shares) - 1) * (len(seeds) - 1)
    if freedom < 1:
        return None
    error = math.sqrt(float(np.nansum(np.square(left))) / freedom)
    rng = np.random.default_rng([seed, 3])
    scale = np.sqrt(freedom / rng.chisquare(freedom, size=(resamples, 1)))
    drawn: Array = rng.standard_normal((resamples, len(shares))) * scale * error / np.sqrt(counts)
    return drawn
