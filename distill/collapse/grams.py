"""texts in words -> their n-grams as numbers, and what is counted of them. No n-gram reaches over the end of a text.

Every n-gram has a number from 0 on, and all that is asked of some of the texts is asked of how often each number is there: an
array of counts, (types,), in which a type that none of the texts has is 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]
    Counts = npt.NDArray[np.int64]

SIZES = (1, 2, 3, 4)
FACTOR = 0x9E3779B97F4A7C15
"""Odd, with its bits spread: two n-grams of a million share a number about once in ten million corpora."""


@dataclass(frozen=True)
class Run:
    """The n-grams of one size of all texts of a corpus, one after the other."""

    numbers: Numbers
    """(n-grams,), each below `types`."""
    owners: Numbers
    """(n-grams,): the text that each is of."""
    types: int

    def counts(self, chosen: npt.NDArray[np.bool_]) -> Counts:
        """How often each type is in some of the texts.

        Args:
            chosen: (texts,).
        """
        import numpy as np

        return np.bincount(self.numbers[chosen[self.owners]], minlength=self.types)


Grams = Mapping[int, Run]
"""By n."""


def grams(texts: Sequence[Sequence[str]], vocabulary: dict[str, int]) -> Grams:
    """Args:
    vocabulary: word to number, which grows: words of corpora that share one are comparable, n-grams of more words are not.
    """
    import numpy as np

    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    flat = (vocabulary.setdefault(word, len(vocabulary)) for text in texts for word in text)
    ids = np.fromiter(flat, np.int64, int(lengths.sum()))
    owners = np.repeat(np.arange(len(texts)), lengths)
    mixed = ids.astype(np.uint64)
    found = {1: Run(ids, owners, len(vocabulary))}
    for size in SIZES[1:]:
        whole = owners[: len(owners) - size + 1] == owners[size - 1 :] if len(owners) >= size else np.zeros(0, bool)
        with np.errstate(over="ignore"):
            mixed = mixed[: len(whole)] * np.uint64(FACTOR) + ids[size - 1 :].astype(np.uint64)[: len(whole)]
        types, numbers = np.unique(mixed[whole], return_inverse=True)
        found[size] = Run(numbers, owners[: len(whole)][whole], len(types))
    return found


def distinct(counts: Counts) -> float:
    """Types over tokens (Li et al. 2016, N16-1014)."""
    return float((counts > 0).sum() / max(1, counts.sum()))


def entropy(counts: Counts) -> float:
    """Shannon entropy of the n-grams, in bits; of a sample, which has less than what it is drawn from."""
    import numpy as np

    there = counts[counts > 0]
    shares = there / max(1, there.sum())
    return float(-(shares * np.log2(shares)).sum()) if len(there) else 0.0


def hapax(counts: Counts) -> float:
    """Types that are there once, as a share of all types."""
    types = (counts > 0).sum()
    return float((counts == 1).sum() / types) if types else 0.0


def self_repetition(run: Run, chosen: npt.NDArray[np.bool_]) -> float:
    """Mean over texts of log(1 + how many of its n-grams another text has too) (Salkar et al. 2022, 2022.aacl-short.38).

    Args:
        run: every n-gram of a text once: `once`.
        chosen: (texts,): which of them.
    """
    import numpy as np

    if not chosen.any():
        return 0.0
    within = chosen[run.owners]
    shared = run.counts(chosen)[run.numbers[within]] > 1
    repeated = np.bincount(run.owners[within][shared], minlength=len(chosen))[chosen]
    return float(np.log1p(repeated).mean())


def once(run: Run) -> Run:
    """The same texts with every n-gram of a text once."""
    import numpy as np

    pairs = np.unique(run.owners * run.types + run.numbers)
    return Run(pairs % max(1, run.types), pairs // max(1, run.types), run.types)


def covered(reference: Counts, candidate: Counts, most: int | None = None) -> float:
    """Share of the reference's types that the candidate has.

    Args:
        reference, candidate: by one vocabulary; what the shorter one has no number for it does not have.
        most: only types that the reference has at most so often: its tail.
    """
    import numpy as np

    asked = (reference > 0) if most is None else (reference > 0) & (reference <= most)
    there = np.zeros(len(reference), bool)
    shared = min(len(reference), len(candidate))
    there[:shared] = candidate[:shared] > 0
    return float(there[asked].mean()) if asked.any() else 0.0
