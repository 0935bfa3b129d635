"""draws of an estimate -> its interval. Nothing here knows where the draws come from.

expanded   percentiles of a bootstrap over roots, widened for few of them
spread     a t interval with the standard error of draws over roots and training seeds, of which there are few
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

from distill.statistics.scores import LEVEL, Interval

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]


def expanded(value: float, draws: Array, roots: int, n: int, level: float = LEVEL) -> Interval:
    """Expanded percentile interval: the plain one is too short by sqrt(1 - 1/n) and takes a t for a normal.

    Hesterberg 2015, "What Teachers Should Know About the Bootstrap" (The American Statistician 69). With 128 roots it
    is 1.4% wider than the plain one, with ten 22%.
    """
    import numpy as np

    tail = NormalDist().cdf(-math.sqrt(roots / (roots - 1)) * t_quantile((1 + level) / 2, roots - 1))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(value, float(low), float(high), n)


def spread(value: float, error: float, freedom: float, n: int, level: float = LEVEL) -> Interval:
    """value ± t error: where percentiles could not reach far enough, since three seeds have only ten different means."""
    half = t_quantile((1 + level) / 2, freedom) * error
    return Interval(value, value - half, value + half, n)


@lru_cache(maxsize=1024)
def t_quantile(level: float, freedom: float) -> float:
    """Quantile of Student's t for any number of degrees of freedom from one on, by Newton's steps on `t_tail`.

    Without SciPy, which nothing else here needs.
    """
    if level < 0.5:
        return -t_quantile(1 - level, freedom)
    x = NormalDist().inv_cdf(level)
    if level == 0.5 or freedom > 1e7:
        return x
    low, high = 0.0, max(2 * x, 1.0)
    while t_tail(high, freedom) > 1 - level:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, freedom) > 1 - level else (low, middle)
    return (low + high) / 2


def t_tail(t: float, freedom: float) -> float:
    """P(T > t) for t >= 0.

    With t = sqrt(freedom) / tan(v^2) the density is a power of sin(v^2), smooth on a finite interval: Gauss-Legendre takes
    its integral to eight digits, over the part of it that is not nothing.
    """
    import numpy as np

    if freedom > 1e7:
        return NormalDist().cdf(-t)
    angle = math.pi / 2 - math.atan(t / math.sqrt(freedom))
    end = math.sqrt(angle)
    # Below this angle the power is under 1e-18 of what it is at the end.
    start = math.sqrt(max(0.0, angle - 9.2 / math.sqrt(freedom)))
    nodes, weights = _legendre()
    v = (end - start) / 2 * nodes + (end + start) / 2
    constant = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(math.pi) / 2
    density = np.exp(constant + (freedom - 1) * np.log(np.sin(v * v))) * 2 * v
    return float((end - start) / 2 * (weights * density).sum())


@lru_cache(maxsize=1)
def _legendre() -> tuple[Array, Array]:
    import numpy as np

    nodes, weights = np.polynomial.legendre.leggauss(64)
    return nodes, weights
