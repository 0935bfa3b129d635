"""sums by root -> the same sums over roots drawn anew, or with the arms' labels swapped.

What is drawn depends on the seed and the number of roots alone: all arms and metrics of one suite meet the same draws, and
each is made once. Draws are kept as bytes and bits, and worked on a chunk at a time: ten thousand resamples of ten thousand
roots are a hundred megabytes, and would be eight hundred as numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

CHUNK = 1_000_000  # resampled roots worked on at once: 8 MB an array


def totals(sums: Array, seed: int, resamples: int) -> Array:
    """(C, k) -> (resamples, k): totals over C roots drawn with replacement, the same roots for every column."""
    import numpy as np

    parts = []
    for chunk, rows in _chunks(len(sums), resamples):
        parts.append(_counts(len(sums), rows, seed, chunk).astype(np.float64) @ sums)
    return np.concatenate(parts)


def swapped(change: Array, seed: int, resamples: int) -> Array:
    """(C, k) what each root's swap would change -> (resamples, k): the sum over roots that a coin chose."""
    import numpy as np

    parts = []
    for chunk, rows in _chunks(len(change), resamples):
        bits = np.unpackbits(_coins(len(change), rows, seed, chunk), axis=1, count=len(change))
        parts.append(bits.astype(np.float64) @ change)
    return np.concatenate(parts)


def seed_weights(seeds: int, seed: int, resamples: int) -> Array:
    """(resamples, K): the weights of K training seeds drawn with replacement, each row of sum 1.

    A mean of K things drawn from K has (K - 1) / K of its variance, a third too little for three seeds: the weights'
    distance from 1 / K is stretched by what is missing (Rao and Wu 1988, the rescaled bootstrap).
    """
    import numpy as np

    rng = np.random.default_rng([seed, 2])
    counts = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
    weights: Array = 1 / seeds + np.sqrt(seeds / (seeds - 1)) * (counts - 1) / seeds
    return weights


def _chunks(roots: int, resamples: int) -> Iterator[tuple[int, int]]:
    """Number of each chunk and its resamples."""
    step = max(1, CHUNK // roots)
    for chunk, start in enumerate(range(0, resamples, step)):
        yield chunk, min(step, resamples - start)


@lru_cache(maxsize=128)  # at most 128 MB
def _counts(roots: int, rows: int, seed: int, chunk: int) -> npt.NDArray[np.uint8]:
    """(rows, roots): how often each root is drawn in each resample."""
    import numpy as np

    rng = np.random.default_rng([seed, 0, chunk])
    picked = rng.integers(0, roots, size=(rows, roots), dtype=np.int32)
    picked += np.arange(0, rows * roots, roots, dtype=np.int32)[:, None]
    return np.bincount(picked.ravel(), minlength=rows * roots).reshape(rows, roots).astype(np.uint8)


@lru_cache(maxsize=128)  # at most 16 MB
def _coins(roots: int, rows: int, seed: int, chunk: int) -> npt.NDArray[np.uint8]:
    """(rows, roots / 8): a bit for each root in each resample."""
    import numpy as np

    rng = np.random.default_rng([seed, 1, chunk])
    return rng.integers(0, 256, size=(rows, -(-roots // 8)), dtype=np.uint8)
