"""vectors of texts -> how far apart they lie: the Vendi score and their dispersion.

Without an embedder a text's vector is its words, weighed by how rare they are: texts lie apart that share no rare word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.collapse.grams import Run

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float64]

SIZE = 512
"""Numbers of a vector of words: those of words that fall together are added, with a sign of their own."""


def word_vectors(run: Run, texts: int, rarity: npt.NDArray[np.float64]) -> Vectors:
    """(texts, SIZE), each of length 1.

    Args:
        run: every word of a text once.
        rarity: (words,), weight of each, such as log(texts / texts that have it).
    """
    import numpy as np

    mixed = _mixed(run.numbers)
    signs = np.where(mixed & np.uint64(1), 1.0, -1.0)
    cells = run.owners * SIZE + ((mixed >> np.uint64(1)) % np.uint64(SIZE)).astype(np.int64)
    found = np.bincount(cells, signs * rarity[run.numbers], minlength=texts * SIZE).reshape(texts, SIZE)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.where(length > 0, length, 1)


def _mixed(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Numbers without a pattern for numbers in a row, which the words of one text often have (splitmix64)."""
    import numpy as np

    found = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        found = (found ^ (found >> np.uint64(shift))) * np.uint64(factor)
    return found ^ (found >> np.uint64(31))


def vendi(vectors: Vectors) -> float:
    """exp of the entropy of the eigenvalues of K / n, K the cosines of all pairs (Friedman and Dieng 2023,
    arXiv:2210.02410): how many texts that have nothing in common would be as varied. By the smaller side of the vectors: the
    eigenvalues of both are the same."""
    import numpy as np

    if not len(vectors):
        return 0.0
    smaller = vectors if len(vectors) < vectors.shape[1] else vectors.T
    values = np.linalg.eigvalsh(smaller @ smaller.T / len(vectors))
    shares = values[values > 1e-12]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def dispersion(vectors: Vectors) -> float:
    """Mean of 1 - cosine over all pairs of different texts."""
    import numpy as np

    n = len(vectors)
    if n < 2:
        return 0.0
    together = float(np.square(vectors.sum(axis=0)).sum())
    own = float(np.square(vectors).sum())
    return 1 - (together - own) / (n * (n - 1))
