"""sets of words -> those of other sets that have most of their rare words, a batch at a time.

A word weighs as many bits as it is rare among the indexed sets. Candidates are found by their rare words alone, so that
common ones cost nothing; none that can have the wanted share is left out but for `CANDIDATES`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

RARE = 64
"""Most indexed sets that have a word by which candidates are found."""
CANDIDATES = 3
"""Indexed sets that are compared with one, those that share most of their rare words with it."""

Words = frozenset[str]


class Postings:
    def __init__(self, sets: Sequence[Words]) -> None:
        import numpy as np

        self._sets = sets
        counts = Counter(chain.from_iterable(sets))
        self._unknown = math.log2(2 * len(sets) + 2)
        """Bits of a word that no indexed set has."""
        self._bits = {word: math.log2((len(sets) + 1) / (count + 0.5)) for word, count in counts.items()}
        self._ids: dict[str, int] = {}
        places: defaultdict[str, list[int]] = defaultdict(list)
        for owner, words in enumerate(sets):
            for word in words:
                if counts[word] <= RARE:
                    places[word].append(owner)
        self._ids = {word: number for number, word in enumerate(sorted(places))}
        self._owners = np.array([owner for word in self._ids for owner in places[word]], dtype=np.int64)
        self._ends = np.cumsum([len(places[word]) for word in self._ids], dtype=np.int64)
        self._weights = np.array([self._bits[word] for word in self._ids])
        self._all, self._common = self._weigh(sets)

    def near(self, sets: Sequence[Words], share: float) -> dict[int, list[int]]:
        """Of each of these sets that has any, the indexed ones that may have such a share of the bits of both."""
        import numpy as np

        known = [[number for word in words if (number := self._ids.get(word)) is not None] for words in sets]
        numbers = np.fromiter(chain.from_iterable(known), dtype=np.int64)
        if not len(numbers):
            return {}
        index = np.repeat(np.arange(len(sets)), [len(each) for each in known])
        starts = np.where(numbers > 0, self._ends[numbers - 1], 0)
        counts = self._ends[numbers] - starts
        places = np.arange(counts.sum()) + np.repeat(starts - np.cumsum(counts) + counts, counts)
        keys, which = np.unique(np.repeat(index, counts) * len(self._sets) + self._owners[places], return_inverse=True)
        rare = np.bincount(which, np.repeat(self._weights[numbers], counts))
        index, owners = np.divmod(keys, len(self._sets))
        all_of, common = self._weigh(sets)
        most = rare + np.minimum(common[index], self._common[owners])
        likely = np.flatnonzero(most * (1 + share) >= share * (all_of[index] + self._all[owners]))
        near: dict[int, list[int]] = {}
        for place in likely[np.lexsort((owners[likely], -rare[likely], index[likely]))]:
            listed = near.setdefault(int(index[place]), [])
            if len(listed) < CANDIDATES:
                listed.append(int(owners[place]))
        return near

    def shared(self, words: Words, owner: int) -> tuple[float, float]:
        """Bits of the words that a set and an indexed one have both, and of those that either has."""
        other = self._sets[owner]
        return self._sum(words & other), self._sum(words | other)

    def _sum(self, words: Words) -> float:
        # Exact, for a plain sum's last digit depends on the order, and that of a set on the process.
        return math.fsum(self._bits.get(word, self._unknown) for word in words)

    def _weigh(self, sets: Sequence[Words]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Bits of each set, and of those of its words that are not rare."""
        import numpy as np

        unknown, bits, ids = self._unknown, self._bits, self._ids
        every = np.array([sum([bits.get(word, unknown) for word in words]) for words in sets])
        common = np.array([sum([bits[word] for word in words if word in bits and word not in ids]) for words in sets])
        return every, common
