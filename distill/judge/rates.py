"""verdicts by item -> shares won, plain and at equal length, with intervals that follow the prompts.

It knows nothing of judges. An outcome is 1, 0 or one half; what is independent are roots, not items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from distill.statistics.scores import LEVEL, POWER, Interval

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

PSEUDO = 4
"""Roots that are added for an interval, half of them won and half lost: a share of 0 or 1 would have none (Agresti and
Coull 1998, The American Statistician 52). Each has the square root of a root's mean number of items, as if they were half
as alike as they could be."""
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
PRIOR = 5.0
"""Standard deviation of the normal prior on both coefficients, which keeps them finite where length or arm decides all."""
ACROSS = 3
"""Least items in which a is not the longer, and in which b is not: with fewer, equal length is a guess."""
STEPS = 50


@dataclass(frozen=True)
class Share:
    """A mean of outcomes."""

    interval: Interval
    error: float
    """Standard error, of the same data with the pseudo roots."""

    @property
    def detectable(self) -> float:
        """The distance from one half that is found in 80% of cases."""
        return (Z + NormalDist().inv_cdf(POWER)) * self.error

    @property
    def needed(self) -> int | None:
        """Items that would find the distance seen; None where there is none."""
        distance = abs(self.interval.value - 0.5)
        return math.ceil(self.interval.n * (self.detectable / distance) ** 2) if distance else None


def share(outcomes: Sequence[float], roots: Sequence[str]) -> Share:
    """Mean of at least one outcome, with a 95% interval.

    Each root counts by its items. The interval is that of the linearised ratio over roots, four pseudo roots added.
    """
    import numpy as np

    values = np.asarray(outcomes, np.float64)
    names, of = np.unique(np.array(roots, dtype=str), return_inverse=True)
    size = math.sqrt(len(values) / len(names))
    totals = np.concatenate([np.bincount(of, values), np.repeat([0.0, size], PSEUDO // 2)])
    counts = np.concatenate([np.bincount(of).astype(np.float64), np.full(PSEUDO, size)])
    middle = totals.sum() / counts.sum()
    groups = len(totals)
    error = float(np.sqrt(groups / (groups - 1) * np.square(totals - middle * counts).sum()) / counts.sum())
    reach = Z * error
    low, high = max(0.0, float(middle) - reach), min(1.0, float(middle) + reach)
    return Share(Interval(float(values.mean()), low, high, len(values)), error)


def at_equal_length(outcomes: Sequence[float], differences: Sequence[float], roots: Sequence[str]) -> Interval | str:
    """The share won where both answers are as long as each other, or why it is not known.

    A logistic regression of the outcome on the difference in length, as in length-controlled AlpacaEval (Dubois et al. 2024,
    arXiv:2404.04475) but without a term for the difficulty of an item: `logit P(a wins) = t + l tanh(d / sd d)`, of which
    the answer is `sigmoid(t)`. The interval is a sandwich over roots on the logit scale, four pseudo roots of equal length
    added as for a plain share.

    Args:
        differences: length of a minus length of b, of each item.
    """
    import numpy as np

    apart = np.asarray(differences, np.float64)
    if min(int((apart <= 0).sum()), int((apart >= 0).sum())) < ACROSS:
        longer = "a" if apart.mean() > 0 else "b"
        return f"the answers of {longer} are the longer ones in all but {ACROSS - 1} items at most"
    values = np.asarray(outcomes, np.float64)
    spread = float(apart.std())
    design = np.stack([np.ones(len(values)), np.tanh(apart / spread) if spread else np.zeros(len(values))], axis=1)
    found = _fit(design, values)
    names, of = np.unique(np.array(roots, dtype=str), return_inverse=True)
    size = math.sqrt(len(values) / len(names))
    more = np.tile([1.0, 0.0], (PSEUDO, 1))
    wide, told = np.concatenate([design, more]), np.concatenate([values, np.repeat([0.0, 1.0], PSEUDO // 2)])
    weights = np.concatenate([np.ones(len(values)), np.full(PSEUDO, size)])
    groups = np.concatenate([of, len(names) + np.arange(PSEUDO)])
    middle, error = _sandwich(wide, told, weights, groups)
    reach = Z * error
    value = float(_sigmoid(found[0]))
    low, high = (float(_sigmoid(np.float64(end))) for end in (middle - reach, middle + reach))
    return Interval(value, min(low, value), max(high, value), len(values))


def _sigmoid(x: Array | np.float64) -> Array:
    import numpy as np

    found: Array = 0.5 * (1 + np.tanh(np.asarray(x) / 2))
    return found


def _fit(design: Array, outcomes: Array, weights: Array | None = None) -> Array:
    """(2,) coefficients by Newton's method; the prior makes the problem strictly convex, and halved steps make it end."""
    import numpy as np

    weights = np.ones(len(outcomes)) if weights is None else weights
    at = np.zeros(2)
    best = _loss(design, outcomes, weights, at)
    for _ in range(STEPS):
        chance = _sigmoid(design @ at)
        slope = design.T @ (weights * (outcomes - chance)) - at / PRIOR**2
        step = np.linalg.solve(_bend(design, weights, chance), slope)
        if float(np.abs(step).max()) < 1e-10:
            break
        while (loss := _loss(design, outcomes, weights, at + step)) > best and float(np.abs(step).max()) > 1e-12:
            step = step / 2
        at, best = at + step, loss
    return at


def _loss(design: Array, outcomes: Array, weights: Array, at: Array) -> float:
    import numpy as np

    logits = design @ at
    return float((weights * (np.logaddexp(0, logits) - outcomes * logits)).sum() + (at @ at) / (2 * PRIOR**2))


def _bend(design: Array, weights: Array, chance: Array) -> Array:
    """(2, 2) second derivative of the loss."""
    import numpy as np

    found: Array = (design * (weights * chance * (1 - chance))[:, None]).T @ design + np.eye(2) / PRIOR**2
    return found


def _sandwich(design: Array, outcomes: Array, weights: Array, groups: npt.NDArray[np.intp]) -> tuple[float, float]:
    """The intercept and its standard error, by groups (Liang and Zeger 1986, Biometrika 73)."""
    import numpy as np

    at = _fit(design, outcomes, weights)
    chance = _sigmoid(design @ at)
    pulls = design * (weights * (outcomes - chance))[:, None]
    by_group = np.stack([np.bincount(groups, pulls[:, column]) for column in (0, 1)], axis=1)
    count = len(by_group)
    inverse = np.linalg.inv(_bend(design, weights, chance))
    spread = inverse @ (by_group.T @ by_group) @ inverse * count / (count - 1)
    return float(at[0]), float(np.sqrt(spread[0, 0]))
