"""two texts -> whether their numbers and names allow that they say the same.

Two problems may be one but for a number, two questions one but for a name. What else is alike in them says nothing then.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

from distill.words import words

_NUMBER = re.compile(r"\d+(?:[.,'’]\d+)*")
_NAME = re.compile(r"(?<=[^\s.!?:;\"“”(|]\s)[\"“(`']?([A-Z]\w+)")
"""A word with a capital within a sentence. At the beginning of one a capital says nothing."""
STEM = 5
"""Characters by which words are compared: `paints` and `painting` are one."""
_SPELT = {
    word: str(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen twenty".split()
    )
}
_SPELT |= {"once": "1", "twice": "2", "double": "2", "triple": "3", "thrice": "3", "dozen": "12"}
READ = 4000
"""Characters of a text that are looked at."""


@dataclass(frozen=True)
class Facts:
    """What of a text must be in another that says the same."""

    text: str

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """As they come, in Western digits without what separates them: 1,000 is 1.000 elsewhere."""
        return tuple(_plain(found) for found in _NUMBER.findall(self.text[:READ]))

    @cached_property
    def all_numbers(self) -> frozenset[str]:
        """Those that are spelt out too."""
        spelt = (_SPELT[word] for word in words(self.text[:READ]) if word in _SPELT)
        return frozenset((*self.numbers, *spelt))

    @cached_property
    def words(self) -> frozenset[str]:
        """By their beginnings."""
        return frozenset(word[:STEM] for word in words(self.text[:READ]))

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(word[:STEM] for found in _NAME.findall(self.text[:READ]) for word in words(found))


def agree(one: Facts, other: Facts) -> bool:
    """Not each has a name that the other lacks, and no number is in one alone; or a single one, with two in common: "0.5"
    may have become a half."""
    alone = (set(one.numbers) - other.all_numbers) | (set(other.numbers) - one.all_numbers)
    if len(alone) > (1 if telling(one, other) else 0):
        return False
    return one.names <= other.words or other.names <= one.words


def telling(one: Facts, other: Facts) -> bool:
    """Two numbers in common, which are seldom met together by chance. That both have a "one" says nothing."""
    return len((one.all_numbers & other.all_numbers) - {"1"}) >= 2


def _plain(number: str) -> str:
    digits = "".join(str(unicodedata.digit(char)) for char in number if char.isdigit())
    # 0.5 is not 5, but 007 is 7.
    return digits if len(digits) < len(number) else digits.lstrip("0") or "0"
