"""sets of words -> those of other sets that have most of their rare words, a batch at a time.

A word weighs as many bits as it is rare among the indexed sets. Candidates are found by their rare words alone, so that
common ones cost nothing; none that can have the wanted share is left out but for `CANDIDATES`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

RARE = 32
"""Most indexed sets that have a word by which candidates are found."""
CANDIDATES = 3
"""Indexed sets that are compared with one, those that share most of their rare words with it."""

Words = frozenset[str]


class Postings:
    def __init__(self, sets: Sequence[Words]) -> None:
        import numpy as np

        self._sets = sets
        counts = Counter(chain.from_iterable(sets))
        self._bits = {word: math.log2((len(sets) + 1) / (count + 0.5)) for word, count in counts.items()}
        self._unknown = math.log2(2 * len(sets) + 2)
        """Bits of a word that no indexed set has."""
        self._ids = {word: number for number, word in enumerate(sorted(counts))}
        """The last id and one more stands for all unknown words."""
        weights = [self._bits[word] for word in self._ids] + [self._unknown]
        self._weights, rare = np.array(weights), np.array([counts[word] <= RARE for word in self._ids] + [False])
        ids, index = self._listed(sets)
        self._all, self._common = self._weigh(ids, index, len(sets), rare)
        order = np.lexsort((index, ids))[rare[np.sort(ids)]] if len(ids) else ids
        self._rare, self._owners = rare, index[order]
        self._ends = np.searchsorted(ids[order], np.arange(len(weights)), side="right")

    def near(self, sets: Sequence[Words], share: float, bits: float) -> dict[int, list[int]]:
        """Of each of these sets that has any, the indexed ones that may have such a share of the bits of both, and so
        many bits."""
        import numpy as np

        ids, index = self._listed(sets)
        all_of, common = self._weigh(ids, index, len(sets), self._rare)
        ids, index = ids[self._rare[ids]], index[self._rare[ids]]
        starts = np.where(ids > 0, self._ends[ids - 1], 0)
        counts = self._ends[ids] - starts
        places = np.arange(counts.sum()) + np.repeat(starts - np.cumsum(counts) + counts, counts)
        keys, which = np.unique(np.repeat(index, counts) * len(self._sets) + self._owners[places], return_inverse=True)
        rare = np.bincount(which, np.repeat(self._weights[ids], counts))
        index, owners = np.divmod(keys, max(len(self._sets), 1))
        # No more than this can be in both; the last digits of sums may differ.
        most = rare + np.minimum(common[index], self._common[owners]) + 1e-6
        likely = np.flatnonzero((most * (1 + share) >= share * (all_of[index] + self._all[owners])) & (most >= bits))
        near: dict[int, list[int]] = {}
        for place in likely[np.lexsort((owners[likely], -rare[likely].round(6), index[likely]))]:
            listed = near.setdefault(int(index[place]), [])
            if len(listed) < CANDIDATES:
                listed.append(int(owners[place]))
        return near

    def both(self, words: Words, owner: int) -> float:
        """Bits of the words that a set and an indexed one have both."""
        return self._sum(words & self._sets[owner])

    def either(self, words: Words, owner: int) -> float:
        """Bits of the words that either has."""
        return self._sum(words | self._sets[owner])

    def _sum(self, words: Words) -> float:
        # Exact, for a plain sum's last digit depends on the order, and that of a set on the process.
        return math.fsum([self._bits.get(word, self._unknown) for word in words])

    def _listed(self, sets: Sequence[Words]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The ids of all words, and which set each is of."""
        import numpy as np

        unknown = len(self._ids)
        ids = np.array([self._ids.get(word, unknown) for words in sets for word in words], dtype=np.int64)
        return ids, np.repeat(np.arange(len(sets)), [len(words) for words in sets])

    def _weigh(
        self, ids: npt.NDArray[np.int64], index: npt.NDArray[np.int64], sets: int, rare: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Bits of each set, and of those of its words that are indexed and not rare."""
        import numpy as np

        weights, common = self._weights[ids], ~rare[ids] & (ids < len(self._ids))
        all_of: npt.NDArray[np.float64] = np.bincount(index, weights, sets).astype(np.float64)
        return all_of, np.bincount(index[common], weights[common], sets).astype(np.float64)
