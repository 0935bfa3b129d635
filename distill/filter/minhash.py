"""word shingles -> the earlier row they are nearest to: MinHash finds candidates, true Jaccard decides.

    shingles of a row -> 64 minima -> bands -> keepers that share a band -> Jaccard of the shingle sets -> nearest

Only keepers are remembered, and a row is compared with keepers alone. So nothing is dropped through a chain of
likenesses (859,092 function-calling rows once became 2 that way), and every drop can be checked against one row.
About 2 kB a keeper of 100 words: hashes, never text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from distill.filter.shingles import WordHashes, mix, stable_hash
from distill.words import terms

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

HASHES = 64
RECALL = 0.99
"""Least chance that two rows just at the threshold become candidates."""
BUCKET = 64
"""Most keepers listed under one band: what thousands of rows share is their template and tells nothing."""
CANDIDATES = 32
"""Most keepers compared with a row, those that share most bands."""
READ = 1_000_000
"""Characters of a text that are compared, so that one monstrous answer does not need a gigabyte."""
_PART = 31
"""The bit of a shingle that says which text of the row it is from."""


class Sketch(NamedTuple):
    """A row as the index sees it."""

    bands: list[int]
    shingles: npt.NDArray[np.uint32]
    """Sorted, unique; those of a second text have the top bit set."""


def band_rows(threshold: float) -> int:
    """Minima in a band: as many as keep the recall at the threshold, for longer bands give fewer idle candidates."""
    fits = [r for r in range(1, 17) if 1 - (1 - threshold**r) ** (HASHES // r) >= RECALL]
    return max(fits, default=1)


@dataclass
class Sketcher:
    """texts of rows -> sketches, a batch at a time."""

    shingle: int
    """Words in a shingle."""
    rows: int
    """Minima in a band."""
    hashes: WordHashes = field(default_factory=WordHashes)

    def __call__(self, texts: Sequence[tuple[str, ...]]) -> list[Sketch]:
        """One sketch per row. Each row gives the same one or two texts: what is judged apart."""
        import numpy as np

        if not texts:
            return []
        parts = len(texts[0])
        assert parts in (1, 2), parts
        grams, counts = self.hashes.ngrams([_terms(text[:READ]) for row in texts for text in row], self.shingle)
        part = np.repeat(np.tile(np.arange(parts, dtype=np.uint64), len(texts)), counts)
        grams = mix(grams + part)
        per_row = counts.reshape(len(texts), parts).sum(axis=1)
        bands = self._bands(grams, per_row)
        row = np.repeat(np.arange(len(texts), dtype=np.uint64), per_row)
        low = (grams & np.uint64(2**_PART - 1)) | (part << np.uint64(_PART))
        # Sorting (row, shingle) pairs as one number sorts and dedups every row's shingles at once.
        packed = np.sort((row << np.uint64(32)) | low)
        packed = packed[np.concatenate(([True], packed[1:] != packed[:-1]))]
        ends = np.searchsorted(packed, np.arange(1, len(texts), dtype=np.uint64) << np.uint64(32))
        return list(map(Sketch, bands, np.split(packed.astype(np.uint32), ends)))

    def _bands(self, grams: npt.NDArray[np.uint64], per_row: npt.NDArray[np.int64]) -> list[list[int]]:
        """The keys of each row's bands."""
        import numpy as np

        starts = np.concatenate(([0], np.cumsum(per_row)[:-1]))
        count = HASHES // self.rows
        keys = np.zeros((count, len(per_row)), dtype=np.uint64)
        for index in range(count * self.rows):
            # Multiply-shift: the upper half of a * x + b with a odd, a permutation as good as random for minima.
            factor, shift = stable_hash(f"factor {index}") | 1, stable_hash(f"shift {index}")
            minima = np.minimum.reduceat((grams * np.uint64(factor) + np.uint64(shift)) >> np.uint64(32), starts)
            band = index // self.rows
            keys[band] = mix(keys[band] + minima + np.uint64(band))
        return keys.T.tolist()


class Keepers:
    """The rows kept so far, found again by their bands."""

    def __init__(self) -> None:
        self._shingles: list[npt.NDArray[np.uint32]] = []
        # Most bands have one keeper: a number is a third of the memory of a list with one in it.
        self._first: dict[int, int] = {}
        self._others: dict[int, list[int]] = {}

    def nearest(self, sketch: Sketch) -> tuple[int, float] | None:
        """The keeper most alike (the earliest of equals) and the Jaccard of their shingles, the smaller one of two
        texts; None where no keeper shares a band."""
        import numpy as np

        shared: Counter[int] = Counter()
        for band in sketch.bands:
            if band in self._first:
                shared[self._first[band]] += 1
                shared.update(self._others.get(band, ()))
        if not shared:
            return None
        candidates = [keeper for keeper, _ in shared.most_common(CANDIDATES)]
        alike = jaccard(sketch.shingles, [self._shingles[keeper] for keeper in candidates])
        best = max(range(len(candidates)), key=lambda i: (alike[i], -candidates[i]))
        return candidates[best], float(np.round(alike[best], 4))

    def add(self, sketch: Sketch) -> None:
        """Remember a row that is kept; keepers are numbered from 0."""
        keeper = len(self._shingles)
        # A copy, or the slice would keep the whole batch alive.
        self._shingles.append(sketch.shingles.copy())
        for band in sketch.bands:
            if self._first.setdefault(band, keeper) != keeper:
                others = self._others.setdefault(band, [])
                if len(others) < BUCKET:
                    others.append(keeper)


def jaccard(one: npt.NDArray[np.uint32], many: Sequence[npt.NDArray[np.uint32]]) -> npt.NDArray[np.float64]:
    """(many,) Jaccard of one set of shingles with each of many; with two texts in a row the smaller of both."""
    import numpy as np

    joined = np.concatenate(many)
    place = np.minimum(np.searchsorted(one, joined), len(one) - 1)
    starts = np.concatenate(([0], np.cumsum([len(other) for other in many])[:-1]))
    second = (joined >> np.uint32(_PART)).astype(bool)
    found = one[place] == joined
    alike = np.ones(len(many))
    for which, size in zip((~second, second), part_sizes(one), strict=True):
        common = np.add.reduceat((found & which).astype(np.int64), starts)
        union = np.add.reduceat(which.astype(np.int64), starts) + size - common
        alike = np.minimum(alike, np.where(union > 0, common / np.maximum(union, 1), 1.0))
    return alike


def part_sizes(shingles: npt.NDArray[np.uint32]) -> tuple[int, int]:
    """Shingles of the first and of the second text."""
    import numpy as np

    first = int(np.searchsorted(shingles, np.uint32(2**_PART)))
    return first, len(shingles) - first


def _terms(text: str) -> list[str]:
    # Two answers of nothing but emoji have no words in common, not no words at all.
    return terms(text) or text.split()
