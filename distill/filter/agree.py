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
_NAME = re.compile(r"(?<![.!?:;\n\"“(])(?<=\s)[\"“(`']?([A-Z]\w*)")
"""A word with a capital within a sentence. At the beginning of one a capital says nothing."""
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
        spelt = (_SPELT[word] for word in self.words if word in _SPELT)
        return frozenset((*self.numbers, *spelt))

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(words(self.text[:READ]))

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(word for found in _NAME.findall(self.text[:READ]) for word in words(found))


def agree(one: Facts, other: Facts) -> bool:
    """Every number of each is in the other, and not each has a name that the other lacks."""
    if not (one.all_numbers.issuperset(other.numbers) and other.all_numbers.issuperset(one.numbers)):
        return False
    return one.names <= other.words or other.names <= one.words


def shared_numbers(one: Facts, other: Facts) -> int:
    """How many different numbers both have in digits."""
    return len(set(one.numbers) & set(other.numbers))


def _plain(number: str) -> str:
    digits = (char for char in number if char.isdigit())
    return "".join(str(unicodedata.digit(char)) for char in digits).lstrip("0") or "0"
