"""an answer and a reference -> are they the same, sign for sign or but for case, articles and punctuation; is one in the other?"""

from __future__ import annotations

import string
import unicodedata

ARTICLES = frozenset({"a", "an", "the"})


def exact(answer: str, reference: str) -> bool:
    """The same, but for white space around it."""
    return answer.strip() == reference.strip()


def normalised(answer: str, reference: str) -> bool:
    """The same as SQuAD compares (Rajpurkar et al. 2016), with the punctuation of all scripts."""
    left, right = normal(answer), normal(reference)
    # Of "The" and "?!" nothing would be left, and that would be equal to an empty answer.
    return left == right if left and right else answer.strip().lower() == reference.strip().lower()


def contained(answer: str, reference: str) -> bool:
    """The reference stands in the answer, word for word as `normalised` compares: "It is Paris." holds "Paris"."""
    held = normal(reference)
    return f" {held} " in f" {normal(answer)} " if held else normalised(answer, reference)


def normal(text: str) -> str:
    """In lower case, without punctuation and then without articles, one space between words.

    >>> normal("The  cat, sat!")
    'cat sat'
    """
    bare = "".join(char for char in text.lower() if not _punctuation(char))
    return " ".join(word for word in bare.split() if word not in ARTICLES)


def _punctuation(char: str) -> bool:
    return char in string.punctuation if char.isascii() else unicodedata.category(char).startswith("P")
