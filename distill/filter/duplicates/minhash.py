"""sets of shingles -> the kept set that each is near to: MinHash finds candidates, true Jaccard decides.

    shingles of a row -> minima -> bands -> keepers that share a band -> Jaccard -> the nearest

Only keepers are remembered, and a row is compared with keepers alone. So nothing is dropped through a chain of
likenesses (859,092 function-calling rows once became 2 that way), and every drop can be checked against one row.
About 700 bytes a keeper of 100 words: hashes, never text.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from distill.filter.duplicates.bands import BUCKET, Bands
from distill.filter.duplicates.growing import Growing
from distill.filter.duplicates.keeper import Near
from distill.filter.duplicates.shingles import mix, stable_hash
from distill.filter.duplicates.sketch import Sets, Template, jaccard

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Keys = npt.NDArray[np.uint64]
    Ints = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

HASHES = 64
RECALL = 0.99
"""Least chance that two rows just at the threshold become candidates."""
CANDIDATES = 32
"""Most keepers compared with a row, those that share most bands."""
BLOCK = 1024
"""Sets looked up at once."""


def band_rows(threshold: float) -> int:
    """Minima in a band: as many as keep the recall at the threshold, for longer bands give fewer idle candidates."""
    fits = [r for r in range(1, 17) if 1 - (1 - threshold**r) ** (HASHES // r) >= RECALL]
    return max(fits, default=1)


def band_keys(sets: Sets, rows: int) -> Keys:
    """(sets, bands) keys of bands of so many minima."""
    import numpy as np

    keys = np.zeros((HASHES // rows, len(sets)), dtype=np.uint64)
    starts, hashed = sets.bounds[:-1], np.empty_like(sets.shingles)
    for band in range(len(keys)):
        for index in range(band * rows, (band + 1) * rows):
            # Shingles are random numbers already: a product with an odd factor modulo 2^32 orders them anew.
            np.multiply(sets.shingles, np.uint32(stable_hash(f"factor {index}") % 2**32 | 1), out=hashed)
            keys[band] = mix(keys[band] + np.minimum.reduceat(hashed, starts) + np.uint64(band))
    return keys.T


class Keepers:
    """The sets kept so far, found again by their bands."""

    def __init__(self, threshold: float) -> None:
        import numpy as np

        self._threshold, self._rows = threshold, band_rows(threshold)
        self._bands = Bands(HASHES // self._rows)
        self._template = Template()
        self._stripped = False
        """Whether a keeper's keys are of less than all its shingles."""
        self._shingles, self._bounds = Growing(np.zeros(0, np.uint32)), Growing(np.zeros(0, np.int64))
        self._bounds.extend(np.zeros(1, np.int64))

    def forget(self, template: Template) -> None:
        """From now on this is template, for the keepers too."""
        kept = self._kept()
        blocks = {start: kept.slice(start, start + BLOCK) for start in range(0, len(kept), BLOCK)}
        # Where no keeper has template, now or before, their keys are what they were.
        stripped = any(template.strip(block) is not block for block in blocks.values())
        if stripped or self._stripped:
            self._bands = Bands(HASHES // self._rows)
            for start, block in blocks.items():
                self._bands.add(band_keys(template.strip(block), self._rows), start)
        self._template, self._stripped = template, stripped

    def judge(self, sets: Sets) -> list[Near | None]:
        """In their order: the nearest keeper, the earliest of equals, or None: the set is kept itself."""
        return [near for start in range(0, len(sets), BLOCK) for near in self._judge(sets.slice(start, start + BLOCK))]

    def _judge(self, sets: Sets) -> list[Near | None]:
        import numpy as np

        bare = self._template.strip(sets)
        self._stripped |= bare is not sets
        keys = band_keys(bare, self._rows)
        rows, keepers, shared, sizes = self._candidates(keys)
        alike = jaccard(sets, rows, self._kept(), keepers, self._template)
        batch = _Batch(sets, keys, sizes, self._template)
        near: list[Near | None] = [None] * len(sets)
        ends = np.searchsorted(rows, np.arange(len(sets) + 1))
        # Only a row that shares a band with a keeper, or with a row that may become one, is looked at by itself.
        for row in np.flatnonzero((ends[1:] > ends[:-1]) | batch.shares).tolist():
            mine = slice(ends[row], ends[row + 1])
            found = batch.nearest(row, keepers[mine], shared[mine], alike[mine])
            if found and found.alike >= self._threshold:
                near[row] = found
            else:
                batch.keep(row)
        kept = np.array([found is None for found in near])
        # A keeper within the batch has its number now; until here it was known by its place, below zero.
        number = len(self._kept()) + np.cumsum(kept) - 1
        for row, found in enumerate(near):
            if found and found.keeper < 0:
                near[row] = Near(int(number[~found.keeper]), found.alike)
        self._add(sets.take(np.flatnonzero(kept)), keys[kept])
        return near

    def _candidates(self, keys: Keys) -> tuple[Ints, Ints, Ints, Ints]:
        """Rows, keepers and how many bands they share, the `CANDIDATES` best of each row; and the size of each bucket."""
        import numpy as np

        rows, keepers, sizes = self._bands.find(keys)
        pairs, shared = np.unique((rows << 32) | keepers, return_counts=True)
        rows, keepers = pairs >> 32, pairs & (2**32 - 1)
        order = np.lexsort((keepers, -shared, rows))
        rows, keepers, shared = rows[order], keepers[order], shared[order]
        best = np.arange(len(rows)) - np.searchsorted(rows, rows) < CANDIDATES
        return rows[best], keepers[best], shared[best], sizes

    def _kept(self) -> Sets:
        return Sets(self._shingles.view, self._bounds.view)

    def _add(self, sets: Sets, keys: Keys) -> None:
        if len(sets):
            self._bands.add(keys, len(self._kept()))
            self._bounds.extend(len(self._shingles) + sets.bounds[1:])
            self._shingles.extend(sets.shingles)


class _Batch:
    """The rows of a batch that share bands with each other, and which of them are kept."""

    def __init__(self, sets: Sets, keys: Keys, sizes: Ints, template: Template) -> None:
        """`sizes`: keepers of earlier batches under each key."""
        import numpy as np

        self._sets, self._keys, self._sizes, self._template = sets, keys, sizes, template
        _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        self._common: npt.NDArray[np.bool_] = np.take(counts > 1, inverse).reshape(keys.shape)
        self.shares: npt.NDArray[np.bool_] = np.any(self._common, axis=1)
        """(rows,) whether the row has a key of another one."""
        self._under: dict[int, list[int]] = defaultdict(list)

    def keep(self, row: int) -> None:
        """The row is a keeper from now on."""
        for band in self._common[row].nonzero()[0].tolist():
            under = self._under[int(self._keys[row, band])]
            if self._sizes[row, band] + len(under) < BUCKET:
                under.append(row)

    def nearest(self, row: int, keepers: Ints, shared: Ints, alike: Floats) -> Near | None:
        """The one most alike, the earliest of equals, of a row's candidates among earlier batches and in this one."""
        import numpy as np

        places: Counter[int] = Counter()
        if self.shares[row]:
            for key in self._keys[row, self._common[row]].tolist():
                places.update(self._under.get(key, ()))
        if places:
            within = np.array(sorted(places))
            here = jaccard(self._sets, np.full(len(within), row), self._sets, within, self._template)
            alike = np.concatenate((alike, here))
            shared = np.concatenate((shared, [places[place] for place in within.tolist()]))
            keepers = np.concatenate((keepers, ~within))
        if not len(keepers):
            return None
        # Earlier batches come first, by number; then this one, by place.
        age = np.where(keepers < 0, 2**32 + ~keepers, keepers)
        looked = np.lexsort((age, -shared))[:CANDIDATES]
        best = looked[np.lexsort((age[looked], -alike[looked]))[0]]
        return Near(int(keepers[best]), float(alike[best]))
