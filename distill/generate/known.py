"""instructions that are there -> the one that a new one is like, found without a look at all of them.

Two instructions are alike from a Jaccard of their words on. Such a pair has a word in common among the rarest few of
each, so that only the texts which have one of these words are compared: exact, and as fast for 100,000 as for 100.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from distill.rows import normalise
from distill.words import words


class Known:
    """What people wrote, and what was added since.

    Args:
        alike: Jaccard from which two are alike.
    """

    def __init__(self, given: Iterable[str], alike: float) -> None:
        self._alike = alike
        self._texts: list[str] = []
        self._words: list[frozenset[str]] = []
        self._having: dict[str, list[int]] = defaultdict(list)
        for text in given:
            self.add(text)
        self._given = len(self._texts)

    def add(self, text: str) -> None:
        found = _words(text)
        for word in found:
            self._having[word].append(len(self._texts))
        self._texts.append(text)
        self._words.append(found)

    def like(self, text: str) -> tuple[str, bool] | None:
        """The first that has nearly the same words, in whatever order, and whether people wrote it; None where there is
        none."""
        mine = _words(text)
        rarest = sorted(mine, key=lambda word: (len(self._having.get(word, ())), word))
        telling = rarest[: len(mine) - math.ceil(self._alike * len(mine)) + 1]
        near = sorted({place for word in telling for place in self._having.get(word, ())})
        for place in near:
            others = self._words[place]
            if len(mine & others) >= self._alike * len(mine | others):
                return self._texts[place], place < self._given
        return None


def _words(text: str) -> frozenset[str]:
    # A text without words is like none but itself.
    return frozenset(words(text)) or frozenset([normalise(text)])
