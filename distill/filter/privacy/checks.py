"""The sums by which numbers prove themselves: Luhn, Verhoeff, ISO 7064 and weighted sums. They take digits alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

_STEP = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def luhn(digits: str) -> bool:
    """Every second digit from the right is doubled; the sum ends in 0."""
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def verhoeff(digits: str) -> bool:
    """Multiplication in the group of the symmetries of a pentagon comes to 0."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit)
        for _ in range(place % 8):
            number = _STEP[number]
        total = _product(total, number)
    return total == 0


def _product(left: int, right: int) -> int:
    """Of two symmetries of a pentagon: 0 to 4 are turns, 5 to 9 are flips."""
    if left < 5:
        return (left + right) % 5 if right < 5 else 5 + (left + right) % 5
    return 5 + (left - right) % 5 if right < 5 else (left - right) % 5


def mod_97(text: str) -> bool:
    """ISO 7064 mod 97-10, letters counted from 10."""
    return int("".join(str(int(char, 36)) for char in text)) % 97 == 1


def mod_11_10(digits: str) -> bool:
    """ISO 7064 mod 11,10."""
    product = 10
    for digit in digits[:-1]:
        product = (((product + int(digit)) % 10 or 10) * 2) % 11
    return (11 - product) % 10 == int(digits[-1])


def weighted(digits: str, weights: Sequence[int]) -> int:
    """The sum of the digits times their weights, as far as there are weights."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def is_date(year: int, month: int, day: int) -> bool:
    """There is such a day; of a year without its century, in either of the last two."""
    for full in (year,) if year > 99 else (1900 + year, 2000 + year):
        try:
            date(full, month, day)
        except ValueError:
            continue
        return True
    return False
