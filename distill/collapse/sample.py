"""rows of several corpora -> texts of the same number and the same lengths, so that what is compared is not how much there is.

A larger corpus has more types and repeats more of them, and a longer text repeats more words than a short one (Shaib et al.
2024, arXiv:2403.00553; PATTR, arXiv:2507.15092). So as many texts of each are drawn by their hash, sorted by length, and the
i-th of each cut to the shortest among them.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from distill.rows import Row, digest
from distill.words import words

TEXTS = 4000
"""Most texts of a corpus that are read into words: of a million as of ten thousand."""
LONGEST = 512
"""Words of a text that are looked at."""
FEWEST = 40
"""Texts of each corpus under which nothing is said: halves of fewer say what chance says."""

KEPT = 0.85
"""Of the shortest of texts of one rank: the ends of all are cut off, as texts end in ways of their own."""

Words = list[str]


@dataclass(frozen=True)
class Drawn:
    """Texts of one corpus, in words, and how long all of its texts are that were drawn."""

    texts: Sequence[Words]
    lengths: Sequence[int]
    """Words of each, uncut."""
    rows: int
    """Texts that the corpus has."""


def draw(rows: Iterable[Row], seed: int) -> Drawn:
    """Answers and texts with the lowest hashes, the same from any order of the rows; a text without a word is none."""
    seen = 0

    def keyed() -> Iterable[tuple[str, str]]:
        nonlocal seen
        for row in rows:
            if row.answer:
                seen += 1
                yield digest([seed, row.id]), row.answer

    chosen = [words(text) for _, text in heapq.nsmallest(TEXTS, keyed())]
    texts = [text for text in chosen if text]
    return Drawn([text[:LONGEST] for text in texts], [len(text) for text in texts], seen)


def matched(corpora: Mapping[str, Sequence[Words]]) -> dict[str, list[Words]]:
    """The texts of `ordered`, the i-th longest of each corpus cut to one length."""
    of_length = ordered(corpora)
    lengths = [math.ceil(KEPT * min(map(len, rank))) for rank in zip(*of_length.values(), strict=True)]
    return {
        name: [text[:length] for text, length in zip(texts, lengths, strict=True)] for name, texts in of_length.items()
    }


def ordered(corpora: Mapping[str, Sequence[Words]]) -> dict[str, list[Words]]:
    """The first texts of each, as many as the smallest has, by their length."""
    count = min(map(len, corpora.values()))
    return {name: sorted(texts[:count], key=len) for name, texts in corpora.items()}


def shared(texts: Sequence[Words], people: Sequence[Words]) -> list[int]:
    """Of each text the place of the same one among people's, -1 where they have none. Copies go with one each of people's, and
    those that are left over with the last of them."""
    waiting: dict[tuple[str, ...], list[int]] = {}
    for place in reversed(range(len(people))):
        waiting.setdefault(tuple(people[place]), []).append(place)
    found = []
    for text in texts:
        left = waiting.get(tuple(text), [-1])
        found.append(left.pop() if len(left) > 1 else left[0])
    return found
