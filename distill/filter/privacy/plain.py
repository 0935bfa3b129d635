"""A text -> the same text in plain signs, place for place, so that patterns need to know ASCII alone.

Digits of other scripts become 0 to 9, all spaces one space, all dashes a hyphen; every other sign stays what it is.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212\ufe58\ufe63\uff0d"
_FULL = "\uff20\uff0e\uff0b\uff1a\uff0f\uff08\uff09"
_PLAIN = "@.+:/()"
_SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_DIGITS = (
    "\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u09e6-\u09ef\u0a66-\u0a6f\u0ae6-\u0aef\u0be6-\u0bef\u0c66-\u0c6f\u0ce6-\u0cef"
    "\u0d66-\u0d6f\u0e50-\u0e59\u0ed0-\u0ed9\u1040-\u1049\u17e0-\u17e9\uff10-\uff19"
)
"""Of Arabic, Persian, the scripts of India, Thai, Lao, Burmese and Khmer, and the wide ones of Chinese and Japanese."""
_UNPLAIN = re.compile(f"[{_DASHES}{_FULL}{_SPACES}{_DIGITS}]")


def plain(text: str) -> str:
    """The text in plain signs; it has the same length."""
    if text.isascii() or not _UNPLAIN.search(text):
        return text
    return _UNPLAIN.sub(lambda match: _sign(match[0]), text)


@cache
def _sign(char: str) -> str:
    if char in _DASHES:
        return "-"
    if char in _FULL:
        return _PLAIN[_FULL.index(char)]
    return " " if char.isspace() else str(unicodedata.digit(char))
