"""right and wrong answers to independent items -> intervals and an exact test, without a bootstrap.

wilson     interval of a share (Wilson 1927)
newcombe   interval of the difference of two shares of the same items (Newcombe 1998, Statistics in Medicine 17:2635, method 10)
independent  the same of shares of different items (Newcombe 1998, Statistics in Medicine 17:873, method 10)
mcnemar    exact two-sided p: of the items that one arm alone got right, either arm is as likely to be the one
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

from distill.statistics.scores import LEVEL


class Table(NamedTuple):
    """Items by who was right."""

    both: int
    a: int
    """Arm a alone."""
    b: int
    """Arm b alone."""
    neither: int

    @property
    def n(self) -> int:
        return sum(self)


def wilson(right: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Ends of the score interval, which stays between 0 and 1 and has a width where all or none are right."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = right / n
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = ((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    # Rounding must not leave out the share itself.
    return (0.0 if right == 0 else low), (1.0 if right == n else high)


def newcombe(table: Table, level: float = LEVEL) -> tuple[float, float]:
    """Ends of the interval of (share of a) - (share of b): two Wilson intervals, put together by their correlation."""
    n, right_a, right_b = table.n, table.both + table.a, table.both + table.b
    a, b = right_a / n, right_b / n
    (low_a, high_a), (low_b, high_b) = wilson(right_a, n, level), wilson(right_b, n, level)
    phi = _phi(table)

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))

    return a - b - reach(a - low_a, high_b - b), a - b + reach(high_a - a, b - low_b)


def independent(right_a: int, n_a: int, right_b: int, n_b: int, level: float = LEVEL) -> tuple[float, float]:
    """Ends of the interval of (share of a) - (share of b) of different items (Newcombe 1998, Statistics in Medicine 17:873,
    method 10)."""
    a, b = right_a / n_a, right_b / n_b
    (low_a, high_a), (low_b, high_b) = wilson(right_a, n_a, level), wilson(right_b, n_b, level)
    return a - b - math.hypot(a - low_a, high_b - b), a - b + math.hypot(high_a - a, b - low_b)


def mcnemar(table: Table) -> float:
    """Exact and conditional, not mid-p: it keeps its level for any number of items, and errs to the careful side."""
    fewer, n = min(table.a, table.b), table.a + table.b
    if n == 0:
        return 1.0
    logs = (
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2) for k in range(fewer + 1)
    )
    return min(1.0, 2 * math.fsum(map(math.exp, logs)))


def _phi(table: Table) -> float:
    """Correlation of the arms, drawn towards 0 where it is positive: a continuity correction of n / 2."""
    right_a, right_b = table.both + table.a, table.both + table.b
    size = right_a * (table.n - right_a) * right_b * (table.n - right_b)
    if size == 0:
        return 0.0
    product = table.both * table.neither - table.a * table.b
    return (max(product - table.n / 2, 0) if product > 0 else product) / math.sqrt(size)
