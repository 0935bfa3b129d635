"""A question to a model that has two answers -> which of them it gave."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import Any

from distill.generate.author import Author, Unusable, said, user
from distill.protocols import Completion

YES = ("yes",)
NO = ("no",)
TOKENS = 64
"""Room for a sentence around the verdict."""


def asked_whether(
    author: Author, question: str, yes: Sequence[str] = YES, no: Sequence[str] = NO
) -> Generator[Any, Any, bool]:
    """Ask for a verdict, and read it; at temperature 0, so that it is the same whoever asks.

    Raises:
        Unusable: `engine_error`, `empty_judgement`, or `unclear_judgement`: no verdict is none, never a no.
    """
    completion: Completion = yield author.ask([user(question)], 0, TOKENS, temperature=0.0)
    return read(said(completion, "judgement"), yes, no)


def read(text: str, yes: Sequence[str] = YES, no: Sequence[str] = NO) -> bool:
    """Which of the two is said first. A word of the one may be part of the other: `equal` and `not equal`.

    >>> read('"Not equal": the second asks for more.', ("equal",), ("not equal",))
    False
    """
    plain = " ".join(text.casefold().replace("*", "").split())
    verdicts = sorted({*yes, *no}, key=len, reverse=True)
    found = re.search(rf"\b(?:{'|'.join(map(re.escape, verdicts))})\b", plain)
    if found is None:
        raise Unusable("unclear_judgement", text)
    return found[0] in yes
