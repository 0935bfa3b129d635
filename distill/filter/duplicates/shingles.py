"""words of texts -> 64-bit hashes of their n-grams, the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_MEMO = 500_000
"""Most words whose hash is remembered."""
_ODD = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def stable_hash(text: str) -> int:
    """64 bits of blake2b: unlike `hash()`, equal in every process."""
    # Half a surrogate pair, as a broken download leaves it, is a character like others.
    raw = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "little")


class WordHashes(dict[str, int]):
    """word -> 64-bit hash, remembered, because a few words make up most of every text."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _MEMO:
            self.clear()
        self[word] = value = stable_hash(word)
        return value

    def ngrams(self, texts: Sequence[Sequence[str]], n: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """Hashes of the word n-grams of each text.

        A text of fewer than n words has one n-gram, all of it; so every text has at least one.

        Returns:
            (N,) hashes of all texts one after the other, and (texts,) how many belong to each; they sum to N.
        """
        import numpy as np

        padded: list[str] = []
        for text in texts:
            padded += text
            padded += [""] * (n - len(text))
        lengths = np.array([max(len(text), n) for text in texts], dtype=np.int64)
        hashes = np.fromiter(map(self.__getitem__, padded), dtype=np.uint64, count=len(padded))
        return roll(hashes, lengths, n), lengths - n + 1


def roll(hashes: npt.NDArray[np.uint64], lengths: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.uint64]:
    """Hashes of the n-grams of texts given one after the other, each as the hashes of its words, at least n."""
    import numpy as np

    if not len(hashes):
        return hashes
    total = len(hashes) - n + 1
    grams = np.zeros(total, dtype=np.uint64)
    for place in range(n):
        # A different odd factor for every place, so that the order of the words counts.
        grams += hashes[place : place + total] * np.uint64((_ODD[0] * (2 * place + 1)) % 2**64)
    # The last n - 1 places of a text would run into the next one.
    within = np.ones(len(hashes), dtype=bool)
    within[(np.cumsum(lengths)[:, None] - np.arange(1, n)).ravel()] = False
    return mix(grams[within[:total]])


def mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Spread the bits of 64-bit values (the finalizer of splitmix64)."""
    import numpy as np

    values = (values ^ (values >> np.uint64(30))) * np.uint64(_ODD[1])
    values = (values ^ (values >> np.uint64(27))) * np.uint64(_ODD[2])
    return values ^ (values >> np.uint64(31))
