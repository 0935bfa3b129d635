"""text -> its words and terms, in any script, the same on every machine.

A word is a run of letters and digits; in scripts that put no spaces between words (Chinese, Japanese, Thai, …) every
character is one. A term is a word or a run of operators: without them "2 + 2" and "2 * 2" would be one question.
"""

from __future__ import annotations

import re
import unicodedata

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, kana and Han, as ranges of a character class. Korean puts spaces."""
# Vowel signs and accents belong to the word they stand in, but `re` does not count them as letters.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963\u0966-\u0dff"
LETTER = rf"(?:[^\W_{UNSPACED}]|[{_MARKS}])"
"""One character of a word that is more than one, as a pattern."""
OPERATOR = r"[+*/=<>^%&|~]"
MINUS = r"-(?=[\d(])"
"""A hyphen is an operator where a number or a bracket follows."""
_OPERATORS = f"{OPERATOR}+|{MINUS}"
_ASCII, _ANY = r"[a-z0-9]+", f"[{UNSPACED}]|{LETTER}+"


def words(text: str) -> list[str]:
    """The words of a text, case folded, in its order; empty for a text that has none."""
    return _found(text, "")


def terms(text: str) -> list[str]:
    """Its words and operators: what makes a text what it is."""
    return _found(text, f"|{_OPERATORS}")


def fold(text: str) -> str:
    """One writing for what is read alike: case, width and composition."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def _found(text: str, more: str) -> list[str]:
    # `re` keeps what it compiled.
    return re.findall((_ASCII if text.isascii() else _ANY) + more, fold(text))
