"""texts in words -> their n-grams as numbers, and what is counted of them. No n-gram reaches over the end of a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.uint64]

SIZES = (1, 2, 3, 4)
FACTOR = 0x9E3779B97F4A7C15
"""Odd, with its bits spread: two n-grams of a million share a number about once in ten million corpora."""


@dataclass(frozen=True)
class Grams:
    """Of each text, by n: a number for every n-gram, in their order."""

    by_size: Mapping[int, Sequence[Numbers]]

    def of(self, size: int, places: Iterable[int]) -> Numbers:
        """The n-grams of some texts, one after the other."""
        import numpy as np

        own = self.by_size[size]
        parts = [own[place] for place in places]
        return np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def grams(texts: Sequence[Sequence[str]], vocabulary: dict[str, int]) -> Grams:
    """Args:
    vocabulary: word to number, which grows: corpora that are compared share one."""
    import numpy as np

    found: dict[int, list[Numbers]] = {size: [] for size in SIZES}
    for text in texts:
        ids = np.fromiter((vocabulary.setdefault(word, len(vocabulary) + 1) for word in text), np.uint64, len(text))
        mixed = ids
        for size in SIZES:
            if size > 1:
                with np.errstate(over="ignore"):
                    mixed = mixed[:-1] * np.uint64(FACTOR) + ids[size - 1 :] if len(mixed) > 1 else mixed[:0]
            found[size].append(mixed)
    return Grams(found)


def counts(numbers: Numbers) -> npt.NDArray[np.int64]:
    """How often each type is there."""
    import numpy as np

    return np.unique(numbers, return_counts=True)[1]


def distinct(numbers: Numbers) -> float:
    """Types over tokens (Li et al. 2016, N16-1014)."""
    return len(counts(numbers)) / max(1, len(numbers))


def entropy(numbers: Numbers) -> float:
    """Shannon entropy of the n-grams, in bits; of a sample, which has less than what it is drawn from."""
    import numpy as np

    shares = counts(numbers) / max(1, len(numbers))
    return float(-(shares * np.log2(shares)).sum()) if len(numbers) else 0.0


def hapax(numbers: Numbers) -> float:
    """Types that are there once, as a share of all types."""
    found = counts(numbers)
    return float((found == 1).mean()) if len(found) else 0.0


def self_repetition(texts: Sequence[Numbers]) -> float:
    """Mean over texts of log(1 + how many of its n-grams another text has too) (Salkar et al. 2022, 2022.aacl-short.38)."""
    import numpy as np

    if not texts:
        return 0.0
    own = [np.unique(text) for text in texts]
    types, holders = np.unique(np.concatenate(own), return_counts=True)
    shared = types[holders > 1]
    repeated = [int(np.isin(text, shared).sum()) for text in texts]
    return float(np.log1p(repeated).mean())


def covered(reference: Numbers, candidate: Numbers, most: int | None = None) -> float:
    """Share of the reference's types that the candidate has.

    Args:
        most: only types that the reference has at most so often: its tail.
    """
    import numpy as np

    types, often = np.unique(reference, return_counts=True)
    if most is not None:
        types = types[often <= most]
    return float(np.isin(types, candidate).mean()) if len(types) else 0.0
