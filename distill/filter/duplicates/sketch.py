"""texts of rows -> sets of hashed word shingles, their true Jaccard, and what of them is template.

A row has one text or two that are judged apart, such as question and answer. Hashes of 31 bits and one that says of
which text: 4 bytes a shingle, never text. It knows nothing of rows, of candidates or of who is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from distill.filter.duplicates.shingles import mix, roll
from distill.filter.duplicates.tokens import hash_terms

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Shingles = npt.NDArray[np.uint32]
    Mask = npt.NDArray[np.bool_]

READ = 1_000_000
"""Characters of a text that are compared, so that one monstrous answer does not need a gigabyte."""
LEAST = 16
"""Fewest rows that must share a shingle before it is template."""
_PART = 31
"""The bit of a shingle that says which text of the row it is from."""
_CELLS = 2**18
"""Counters of shingles: two that share one are counted together; of rows of 100 words a counter has 0.04% by chance."""
_PAIRS = 2_000_000
"""Shingles of pairs compared at once: 16 MB an array."""


class Sets(NamedTuple):
    """Sets of shingles, one after the other."""

    shingles: Shingles
    """Of each set sorted and unique; those of a second text have the top bit set."""
    bounds: Ints
    """(sets + 1,) where each begins."""

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def sizes(self) -> Ints:
        """(sets,)"""
        import numpy as np

        return np.diff(self.bounds)

    def take(self, which: Ints | Sequence[int]) -> Sets:
        """These of the sets, in this order, some perhaps more than once."""
        import numpy as np

        which = np.asarray(which, dtype=np.int64)
        sizes = self.bounds[which + 1] - self.bounds[which]
        bounds = np.concatenate(([0], np.cumsum(sizes)))
        places = np.repeat(self.bounds[which] - bounds[:-1], sizes) + np.arange(bounds[-1])
        return Sets(self.shingles[places], bounds)

    def slice(self, start: int, end: int) -> Sets:
        """The sets from one to another, without a copy."""
        bounds = self.bounds[start : end + 1]
        return Sets(self.shingles[bounds[0] : bounds[-1]], bounds - bounds[0])


def join(sets: Sequence[Sets]) -> Sets:
    """One after the other."""
    import numpy as np

    sizes = np.concatenate([each.sizes for each in sets])
    return Sets(np.concatenate([each.shingles for each in sets]), np.concatenate(([0], np.cumsum(sizes))))


def sketch(texts: Sequence[tuple[str, ...]], n: int) -> Sets:
    """The word n-grams of each row; each row gives the same one or two texts. A text of fewer words than n is one
    shingle, all of it, so that every text has at least one."""
    import numpy as np

    parts = len(texts[0])
    assert parts in (1, 2), parts
    hashes, counts = hash_terms([text[:READ] for row in texts for text in row])
    lengths = np.maximum(counts, n)
    if (counts < n).any():
        shift = np.concatenate(([0], np.cumsum(lengths - counts)[:-1]))
        padded = np.zeros(lengths.sum(), dtype=np.uint64)
        padded[np.arange(len(hashes)) + np.repeat(shift, counts)] = hashes
        hashes = padded
    grams, counts = roll(hashes, lengths, n), lengths - n + 1
    part = np.repeat(np.tile(np.arange(parts, dtype=np.uint64), len(texts)), counts)
    row = np.repeat(np.arange(len(texts), dtype=np.uint64), counts.reshape(-1, parts).sum(axis=1))
    low = (mix(grams + part) & np.uint64(2**_PART - 1)) | (part << np.uint64(_PART))
    # Sorting (row, shingle) pairs as one number sorts and dedups every row's shingles at once.
    packed = np.sort((row << np.uint64(32)) | low)
    packed = packed[np.concatenate(([True], packed[1:] != packed[:-1]))]
    bounds = np.searchsorted(packed, np.arange(len(texts) + 1, dtype=np.uint64) << np.uint64(32))
    return Sets(packed.astype(np.uint32), bounds)


@dataclass(frozen=True)
class Template:
    """Which shingles are template.

    Left out only of a text that is mostly template, for a smaller part makes no two texts alike, and not of one that is
    nothing else.
    """

    cells: Mask | None = None
    """None where no shingle is."""

    def own(self, shingles: Shingles) -> Mask:
        """Which of the shingles are not template."""
        import numpy as np

        if self.cells is None:
            return np.ones(len(shingles), dtype=bool)
        return ~self.cells.take(_cell(shingles))

    def strip(self, sets: Sets) -> Sets:
        """The sets without it, where they are mostly template; the same object where none is."""
        import numpy as np

        if self.cells is None or not len(sets):
            return sets
        own = self.own(sets.shingles)
        mostly = _mostly(np.add.reduceat(own, sets.bounds[:-1], dtype=np.int64), sets.sizes)
        if not mostly.any():
            return sets
        own |= ~np.repeat(mostly, sets.sizes)
        ends = np.concatenate(([0], np.cumsum(own)))
        return Sets(sets.shingles[own], ends[sets.bounds])


class Frequencies:
    """In how many rows each shingle stands."""

    def __init__(self) -> None:
        import numpy as np

        self.rows = 0
        self._cells = np.zeros(_CELLS, dtype=np.int64)

    def add(self, sets: Sets) -> None:
        import numpy as np

        self.rows += len(sets)
        self._cells += np.bincount(_cell(sets.shingles), minlength=_CELLS)

    def template(self, share: float) -> Template:
        """The shingles in at least this share of the rows, and in `LEAST` of them; none for a share of 1."""
        if share >= 1:
            return Template()
        cells = self._cells >= max(LEAST, share * self.rows)
        return Template(cells if cells.any() else None)


def jaccard(one: Sets, these: Ints, other: Sets, those: Ints, template: Template) -> npt.NDArray[np.float64]:
    """(pairs,) Jaccard of these sets with those, of two texts the smaller one.

    Template must not make two rows alike, nor must leaving it out: the smaller of both counts. But two answers to the
    very same question are compared as they are, for what they share is no template.
    """
    import numpy as np

    if not len(these):
        return np.zeros(0)
    # Cut where their shingles reach the bound, whatever the length of the texts.
    ends = np.cumsum(one.sizes[these] + other.sizes[those])
    cuts = np.searchsorted(ends, np.arange(_PAIRS, int(ends[-1]), _PAIRS))
    blocks = pairwise(np.unique(np.concatenate(([0], cuts, [len(these)]))).tolist())
    return np.concatenate([_jaccard(one.take(these[a:b]), other.take(those[a:b]), template) for a, b in blocks])


def _jaccard(one: Sets, other: Sets, template: Template) -> npt.NDArray[np.float64]:
    import numpy as np

    pairs = [_pack(one), _pack(other)]
    merged = np.sort(np.concatenate(pairs))
    pairs.append(merged[1:][merged[1:] == merged[:-1]])
    sizes = [_count(pair, len(one)) for pair in pairs]
    whole = _ratio(sizes)
    alike: npt.NDArray[np.float64] = whole.min(axis=1)
    if template.cells is not None:
        counts = [_count(pair[template.own(pair.astype(np.uint32))], len(one)) for pair in pairs]
        stripped = _mostly(counts[0], sizes[0]) & _mostly(counts[1], sizes[1])
        own = np.where(stripped, _ratio(counts), whole)
        two = (sizes[0][:, 1] > 0) & (whole[:, 0] == 1)
        alike = np.where(two, alike, np.minimum(alike, own.min(axis=1)))
    return alike


def _mostly(own: Ints, size: Ints) -> Mask:
    """Whether a text is mostly template, by its shingles that are not and all of them."""
    return (own > 0) & (2 * own < size)


def _ratio(counts: Sequence[Ints]) -> npt.NDArray[np.float64]:
    import numpy as np

    one, other, common = counts
    union = one + other - common
    return np.where(union > 0, common / np.maximum(union, 1), 1.0)


def _pack(sets: Sets) -> npt.NDArray[np.uint64]:
    """(pair, shingle) as one number."""
    import numpy as np

    pair = np.repeat(np.arange(len(sets), dtype=np.uint64), sets.sizes)
    return (pair << np.uint64(32)) | sets.shingles


def _count(packed: npt.NDArray[np.uint64], pairs: int) -> Ints:
    """(pairs, 2) shingles of each text of each pair."""
    import numpy as np

    return np.bincount((packed >> np.uint64(_PART)).astype(np.int64), minlength=2 * pairs).reshape(-1, 2)


def _cell(shingles: Shingles) -> npt.NDArray[np.intp]:
    import numpy as np

    return (shingles & np.uint32(_CELLS - 1)).astype(np.intp)
