"""marks that people gave and marks that a filter gave -> how far they agree, with 95% intervals.

    accuracy   share of the answers of which both say the same: good or not
    kappa      the same beyond what two who know nothing of each other would agree by chance (Cohen 1960)
    spearman   whether what people rank higher is ranked higher

What is resampled are questions, not answers: answers to one question resemble each other. It knows nothing of filters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from distill.errors import CompareError
from distill.statistics.intervals import expanded
from distill.statistics.scores import Interval

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

Measure = Callable[["Array", "Array"], float]
RESAMPLES = 4_000


def accuracy(a: Array, b: Array) -> float:
    """Of two columns of 0 and 1."""
    return float((a == b).mean())


def kappa(a: Array, b: Array) -> float:
    """Of two columns of labels, two or more; 0 where one of them is all equal, of which nothing follows."""
    seen = float((a == b).mean())
    chance = sum(float((a == label).mean() * (b == label).mean()) for label in {*a.tolist(), *b.tolist()})
    return (seen - chance) / (1 - chance) if chance < 1 else 0.0


def spearman(a: Array, b: Array) -> float:
    """Of two columns of numbers, equal ones sharing their ranks; 0 where one of them is all equal."""
    import numpy as np

    ranks = [_ranks(column) - (len(column) - 1) / 2 for column in (a, b)]
    size = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / size if size else 0.0


def agreement(
    measure: Measure, a: Sequence[float], b: Sequence[float], roots: Sequence[str], seed: int = 0
) -> Interval:
    """The measure of two columns with its interval.

    Args:
        roots: what each entry belongs to, such as its question.

    Raises:
        CompareError: fewer than two roots, of which nothing can be resampled.
    """
    import numpy as np

    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    names, of = np.unique(np.array(roots, dtype=str), return_inverse=True)
    if len(names) < 2:
        raise CompareError(f"{len(left)} answers to {len(names)} questions are too few for an interval")
    places = [np.flatnonzero(of == root) for root in range(len(names))]
    rng = np.random.default_rng([seed, len(names)])
    draws = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        picked = np.concatenate([places[root] for root in rng.integers(0, len(names), len(names))])
        draws[number] = measure(left[picked], right[picked])
    return expanded(measure(left, right), draws, len(names), len(left))


def _ranks(column: Array) -> Array:
    """From 0, equal ones at their middle."""
    import numpy as np

    _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle: Array = ends - (counts + 1) / 2
    return middle[inverse]
