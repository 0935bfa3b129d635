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
_MINUS = re.compile(MINUS)
_LOWER = {char: char.lower() if char.isalnum() else " " for char in map(chr, range(128))}
_SPACED = str.maketrans(_LOWER)
"""ASCII in lower case, with a space for all that is no letter and no digit: several times as fast as `re`."""
_WITH_OPERATORS = str.maketrans(_LOWER | {char: char for char in "+*/=<>^%&|~"})
_ASCII, _ANY = r"[a-z0-9]+", f"[{UNSPACED}]|{LETTER}+"

_MARKS_OF_PRINT = "’“”–—…‘•\xa0"
"""Between words like a space, and in many a text all that is not ASCII."""
_TERM = re.compile(f"{_ASCII}|{_OPERATORS}")


def words(text: str) -> list[str]:
    """The words of a text, case folded, in its order; empty for a text that has none."""
    plain = text
    for mark in "" if text.isascii() else _MARKS_OF_PRINT:
        plain = plain.replace(mark, " ")
    return plain.translate(_SPACED).split() if plain.isascii() else _found(text, "")


def terms(text: str) -> list[str]:
    """Its words and operators: what makes a text what it is."""
    if text.isascii() and not ("-" in text and _MINUS.search(text)):
        spaced = text.translate(_WITH_OPERATORS)
        parts = spaced.split()
        if spaced.replace(" ", "").isalnum():
            return parts
        return [term for part in parts for term in ((part,) if part.isalnum() else _TERM.findall(part))]
    return _found(text, f"|{_OPERATORS}")


def fold(text: str) -> str:
    """One writing for what is read alike: case, width and composition."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def _found(text: str, more: str) -> list[str]:
    # `re` keeps what it compiled.
    return re.findall((_ASCII if text.isascii() else _ANY) + more, fold(text))
