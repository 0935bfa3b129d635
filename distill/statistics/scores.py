"""An arm's values of one metric, an entry an item, and the estimates that are made of them.

It knows nothing of models, suites or files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from distill.errors import CompareError

LEVEL = 0.95
POWER = 0.8
RESAMPLES = 10_000
FEWEST = 6
"""Prompts under which no gap is stated: an interval from fewer covers less than it says."""

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
    """What an item shares with those that are not independent of it: its prompt, its passage."""

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


Test = Literal["mcnemar", "swap", "seeds"]
"""Where p is from: exact McNemar; random swaps of the arms' labels, by root; a t-test over training seeds and roots."""


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
    """Items needed for that power if the true difference is the one seen; None where it is zero, or where no number of items
    would do because training seeds differ by as much."""
    verdict: Choice
    """What may be said of a beside b."""
    test: Test = "swap"


@dataclass(frozen=True)
class Ratio:
    """The gap recovered, (student - base) / (teacher - base), or the retention, student / teacher; no end is a limit.

    The numbers are None where `undefined` says why.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    undefined: str | None = None
