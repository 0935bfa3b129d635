"""people's texts + held-out texts -> the tenth of the held-out ones whose words are the rarest: where a model that lost the tail
is worse first, while its mean is still well.

How rare a text's words are is the mean of their surprise in bits under people's words, one added to every count (Laplace), so
that a word that none of them has is the rarest.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from distill.words import words

SHARE = 0.1
FEWEST = 10
"""Texts of the tenth under which nothing is said of it."""

Key = TypeVar("Key", bound=Hashable)


def rarest(texts: Mapping[Key, str], people: Iterable[Iterable[str]]) -> list[Key]:
    """Keys of the rarest tenth, the rarest first; empty where it is smaller than FEWEST.

    Args:
        people: texts in words.
    """
    counts = Counter(word for text in people for word in text)
    total = counts.total() + len(counts) + 1
    surprise = {key: _surprise(words(text), counts, total) for key, text in texts.items() if words(text)}
    chosen = sorted(surprise, key=lambda key: (-surprise[key], str(key)))[: int(SHARE * len(surprise))]
    return chosen if len(chosen) >= FEWEST else []


def _surprise(text: list[str], counts: Counter[str], total: int) -> float:
    return sum(-math.log2((counts[word] + 1) / total) for word in text) / len(text)
