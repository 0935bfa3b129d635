"""evaluated texts -> which of them other texts hold, and how much of each: word n-grams, a batch of texts at a time.

    terms -> 64-bit hashes -> n-grams -> bitmap (most are not there) -> sorted table -> owners -> shares

An n-gram counts once for each evaluated text that has it. Knows nothing of rows or of what a share means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from distill.filter.duplicates.shingles import WordHashes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SEPARATOR = "\n"
"""Stands between the texts of a batch. It is no term, so that no n-gram over it is in any table."""
OWNERS = 32
"""Most evaluated texts listed under one n-gram: what hundreds share is looked for in the first of them, so that a template
costs no more than another text. The n-grams of the others are those that are left."""
_SLOTS = 16
"""Bytes of the bitmap for an n-gram: one in sixteen that is not in the table is looked for there in vain."""
_ODD = 0x9E3779B97F4A7C15


class Hit(NamedTuple):
    text: int
    """Index in the batch."""
    owner: int
    """Index of the evaluated text."""
    share: float
    """Of the evaluated text's n-grams, those that the text has."""


class Batch:
    """Texts, as lists of terms, hashed once for all tables."""

    def __init__(self, texts: Sequence[list[str]], hashes: WordHashes) -> None:
        import numpy as np

        self.texts = texts
        flat: list[str] = []
        for text in texts:
            flat += text
            flat.append(SEPARATOR)
        self.hashes = np.fromiter(map(hashes.__getitem__, flat), dtype=np.uint64, count=len(flat))
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        self.ends = np.cumsum(lengths + 1)
        """Where each text ends in the hashes, its separator included."""

    def ngrams(self, sizes: Sequence[int]) -> Iterator[npt.NDArray[np.uint64]]:
        """Of each size, in rising order, the n-gram that begins at each place."""
        import numpy as np

        grams = np.zeros(len(self.hashes), dtype=np.uint64)
        for place in range(max(sizes, default=0)):
            # A different odd factor for every place, so that the order of the words counts.
            left = max(len(self.hashes) - place, 0)
            grams = grams[:left] + self.hashes[place:] * np.uint64(_ODD * (2 * place + 1) % 2**64)
            if place + 1 in sizes:
                yield grams


class Table:
    """The n-grams of one size of evaluated texts, and whose they are."""

    def __init__(self, size: int, texts: Sequence[list[str]], hashes: WordHashes) -> None:
        """Texts have at least `size` terms each."""
        import numpy as np

        self.size = size
        batch = Batch(texts, hashes)
        places = np.concatenate([np.arange(end - 1 - len(text), end - size) for end, text in zip(batch.ends, texts)])  # noqa: B905
        grams = next(batch.ngrams((size,)))[places]
        owners = np.repeat(np.arange(len(texts)), [len(text) - size + 1 for text in texts])
        order = np.lexsort((owners, grams))
        grams, owners = grams[order], owners[order]
        new = np.concatenate(([True], (np.diff(grams) != 0) | (np.diff(owners) != 0)))
        grams, owners = grams[new], owners[new]
        first = np.searchsorted(grams, grams)
        listed = np.arange(len(grams)) - first < OWNERS
        grams, self._owners = grams[listed], owners[listed]
        self._sizes = np.bincount(self._owners, minlength=len(texts))
        self._grams, self._starts = np.unique(grams, return_index=True)
        self._ends = np.append(self._starts[1:], len(grams))
        bits = max(16, (_SLOTS * len(self._grams)).bit_length())
        self._shift = np.uint64(64 - bits)
        self._seen = np.zeros(1 << bits, dtype=bool)
        self._seen[self._grams >> self._shift] = True

    def held(self, batch: Batch, grams: npt.NDArray[np.uint64], least: float) -> Iterator[Hit]:
        """Each text of the batch with each evaluated text of whose n-grams it has a share of `least`, the largest share of
        a text first."""
        import numpy as np

        places, found = self._found(grams)
        if not len(places):
            return
        texts = np.searchsorted(batch.ends, places, side="right")
        # What a text says twice counts once.
        texts, found = np.divmod(np.unique(texts * len(self._grams) + found), len(self._grams))
        counts = self._ends[found] - self._starts[found]
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        owners = self._owners[np.repeat(self._starts[found], counts) + offsets]
        keys, shared = np.unique(np.repeat(texts, counts) * len(self._sizes) + owners, return_counts=True)
        texts, owners = np.divmod(keys, len(self._sizes))
        shares = shared / self._sizes[owners]
        enough = np.flatnonzero(shares >= least)
        enough = enough[np.lexsort((owners[enough], -shares[enough], texts[enough]))]
        for column in zip(texts[enough].tolist(), owners[enough].tolist(), shares[enough].tolist(), strict=True):
            yield Hit(*column)

    def shared(self, text: list[str], owner: int, hashes: WordHashes) -> list[str]:
        """From the first to the last n-gram of a text that an evaluated text has too."""
        batch = Batch([text], hashes)
        places, found = self._found(next(batch.ngrams((self.size,))))
        its = [
            int(place)
            for place, gram in zip(places, found, strict=True)
            if owner in self._owners[self._starts[gram] : self._ends[gram]]
        ]
        return text[min(its) : max(its) + self.size]

    def _found(self, grams: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Places whose n-gram is in the table, and which one of the table it is."""
        import numpy as np

        places = np.flatnonzero(self._seen[grams >> self._shift])
        wanted = grams[places]
        found = np.minimum(np.searchsorted(self._grams, wanted), len(self._grams) - 1)
        right = self._grams[found] == wanted
        return places[right], found[right]
