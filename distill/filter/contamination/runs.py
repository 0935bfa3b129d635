"""texts of a corpus -> the longest run of words that another text shares with them, exactly.

    words -> 64-bit hashes, all texts one after the other -> n-grams in sorted order with their places
    text  -> its n-grams that are there -> from each place as far as both go on alike

About 24 bytes a word of the corpus. Knows nothing of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from distill.filter.contamination.ngrams import SEPARATOR, Batch
from distill.filter.duplicates.shingles import WordHashes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

NGRAM = 8
"""Words from which on a run is looked for: shorter ones are in everybody's texts."""
PLACES = 64
"""Places of one n-gram that are tried."""


class Run(NamedTuple):
    words: int
    text: int
    """Which text of the corpus."""
    start: int
    """Place of the run's first word in the other text."""


class Corpus:
    """Texts to be found again."""

    def __init__(self, texts: Iterable[list[str]]) -> None:
        import numpy as np

        self._known = WordHashes()
        batch = Batch([text for text in texts if len(text) >= NGRAM], self._known)
        self._words, self._ends = batch.hashes, batch.ends
        grams = next(batch.ngrams((NGRAM,))) if len(batch.texts) else np.zeros(0, dtype=np.uint64)
        # The last words of a text and the first of the next make no n-gram: the sign between them is no word.
        self._places = np.argsort(grams, kind="stable")
        self._grams = grams[self._places]
        self._separator = np.uint64(self._known[SEPARATOR])

    def longest(self, text: Sequence[str]) -> Run | None:
        """The longest run of at least NGRAM words that a text shares with the corpus; the first of those alike."""
        import numpy as np

        if len(text) < NGRAM or not len(self._grams):
            return None
        batch = Batch([list(text)], self._known)
        grams, own = next(batch.ngrams((NGRAM,)))[: len(text) - NGRAM + 1], batch.hashes[: len(text)]
        left, right = (np.searchsorted(self._grams, grams, side) for side in ("left", "right"))
        best: Run | None = None
        for start in (right > left).nonzero()[0].tolist():
            if best is not None and len(text) - start <= best.words:
                break
            for place in self._places[left[start] : min(right[start], left[start] + PLACES)].tolist():
                length = self._alike(own[start:], place)
                if length >= NGRAM and (best is None or length > best.words):
                    best = Run(length, int(np.searchsorted(self._ends, place, side="right")), start)
        return best

    def _alike(self, own: npt.NDArray[np.uint64], place: int) -> int:
        """Words that are the same from here on."""
        import numpy as np

        there = self._words[place : place + len(own)]
        other = (there != own[: len(there)]) | (there == self._separator)
        return int(np.argmax(other)) if other.any() else len(there)
