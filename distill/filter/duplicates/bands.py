"""keys of bands -> the rows that were kept under them: a hash table in arrays, looked up a batch at a time.

Most bands have one keeper: 16 bytes. A bucket is a linked list through one number for each band of each keeper. It
knows nothing of shingles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Keys = npt.NDArray[np.uint64]
    Ints = npt.NDArray[np.int64]

BUCKET = 64
"""Most keepers listed under one band, the first of them: what thousands of rows share tells nothing."""
_LOAD = 0.6
"""Share of the slots in use at which there are four times as many."""


class Bands:
    """(keeper, band) entries by key; keepers are numbered from 0."""

    def __init__(self, bands: int) -> None:
        import numpy as np

        self._bands, self._used = bands, 0
        self._next = np.zeros(0, dtype=np.int32)
        self._slots(1 << 14)

    def _slots(self, slots: int) -> None:
        import numpy as np

        self._keys = np.zeros(slots, dtype=np.uint64)
        self._head = np.full(slots, -1, dtype=np.int32)
        self._size = np.zeros(slots, dtype=np.uint8)

    def add(self, keys: Keys, first: int) -> None:
        """Remember keepers from number `first` on by their (keepers, bands) keys."""
        import numpy as np

        flat = np.maximum(keys.ravel(), np.uint64(1))
        entries = np.arange(first * self._bands, first * self._bands + len(flat), dtype=np.int64)
        if len(self._next) < entries[-1] + 1:
            self._next = np.concatenate((self._next, np.full(max(len(flat), len(self._next) // 2), -1, np.int32)))
        # In the order of their keys the slots lie one after the other. Equal keys must stay in the order of the rows.
        order = np.argsort(flat)
        if (flat[order[1:]] == flat[order[:-1]]).any():
            order = np.argsort(flat, kind="stable")
        flat, entries = flat[order], entries[order]
        new = np.concatenate(([True], flat[1:] != flat[:-1]))
        group = np.cumsum(new) - 1
        slots = self._claim(flat[new])
        rank = np.arange(len(flat)) - np.flatnonzero(new)[group]
        fits = self._size[slots][group] + rank < BUCKET
        # Each entry points to the one before it, the first of a group to what the bucket held.
        before = np.concatenate(([-1], entries[:-1]))
        before[new] = self._head[slots]
        self._next[entries[fits]] = before[fits]
        last = np.flatnonzero(fits & np.concatenate((~fits[1:] | new[1:], [True])))
        self._head[slots[group[last]]] = entries[last]
        self._size[slots] += np.bincount(group[fits], minlength=len(slots)).astype(np.uint8)

    def find(self, keys: Keys) -> tuple[Ints, Ints, Ints]:
        """For (rows, bands) keys: rows and keepers that share a key, a pair as often as they share one; and the
        keepers under each key."""
        import numpy as np

        flat = np.maximum(keys.ravel(), np.uint64(1))
        slots = self._locate(flat)
        known = self._keys[slots] == flat
        rows = np.flatnonzero(known) // self._bands
        entries = self._head[slots[known]].astype(np.int64)
        sizes = np.where(known, self._size[slots], 0).astype(np.int64).reshape(keys.shape)
        found_rows, found = [rows[:0]], [entries[:0]]
        while len(entries):
            found_rows.append(rows)
            found.append(entries // self._bands)
            entries = self._next[entries].astype(np.int64)
            rows, entries = rows[entries >= 0], entries[entries >= 0]
        return np.concatenate(found_rows), np.concatenate(found), sizes

    def _locate(self, keys: Keys) -> Ints:
        """The slot of each key, or the free one where it would go."""
        import numpy as np

        last = len(self._keys) - 1
        slots = (keys >> np.uint64(64 - last.bit_length())).astype(np.int64)
        held = self._keys[slots]
        pending = np.flatnonzero((held != 0) & (held != keys))
        while len(pending):
            slots[pending] = (slots[pending] + 1) & last
            held = self._keys[slots[pending]]
            pending = pending[(held != 0) & (held != keys[pending])]
        return slots

    def _claim(self, keys: Keys) -> Ints:
        """A slot for each of these keys, none of them twice."""
        import numpy as np

        if self._used + len(keys) > _LOAD * len(self._keys):
            self._grow(self._used + len(keys))
        slots = self._locate(keys)
        pending = np.flatnonzero(self._keys[slots] == 0)
        self._used += len(pending)
        while len(pending):
            # Several may want one free slot: the one that is found there has it, the others look further.
            self._keys[slots[pending]] = keys[pending]
            pending = pending[self._keys[slots[pending]] != keys[pending]]
            if len(pending):
                slots[pending] = self._locate(keys[pending])
        return slots

    def _grow(self, used: int) -> None:
        import numpy as np

        held = np.flatnonzero(self._keys)
        keys, head, size = self._keys[held], self._head[held], self._size[held]
        slots = len(self._keys)
        while used > _LOAD * slots:
            slots *= 4
        self._slots(slots)
        self._used = 0
        places = self._claim(keys)
        self._head[places], self._size[places] = head, size
