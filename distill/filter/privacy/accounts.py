"""Numbers of payment cards and bank accounts, by who may give out which, their length and their check digits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from distill.filter.privacy.checks import luhn, mod_97
from distill.filter.privacy.found import Found

_CARD = re.compile(
    r"(?<![\w+])(?<![0-9][.,-])(?:[0-9]{12,19}"
    r"|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{1,3})?"
    r"|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5})(?![\w]|[.,-][0-9]| ?[*^])"
)
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12,15}"  # Discover
    r"|35(?:2[89]|[3-8]\d)\d{12,15}|(?:2131|1800)\d{11}"  # JCB
    r"|(?:30[0-5]|3[689]\d)\d{11}"  # Diners Club
    r"|62\d{14,17}"  # UnionPay
    r"|(?:50[123]8|5020|5[6-8]\d\d|6304|6759|676[1-3])\d{8,15}"  # Maestro
    r"|220[0-4]\d{12,15}"  # Mir
    r"|(?:60|65|81|82|508)\d{13,14}"  # RuPay
)
_IBAN = re.compile(r"(?<![\w-])[A-Z]{2}[0-9]{2}(?=[ -]?[A-Z0-9]{4})")
_LENGTHS = {
    length: frozenset(codes.split())
    for length, codes in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ DZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
}
_COUNTRIES = {code: length for length, codes in _LENGTHS.items() for code in codes}
"""Characters of an account's number by the ISO 3166 code of its country, by SWIFT's registry."""


def cards(text: str) -> Iterator[Found]:
    """Numbers of payment cards, in one piece or in the groups they are printed in."""
    for match in _CARD.finditer(text):
        digits = re.sub("[ -]", "", match[0])
        if _ISSUERS.fullmatch(digits) and luhn(digits) and len(set(digits)) > 1:
            yield Found("card", match.start(), match.end())


def ibans(text: str) -> Iterator[Found]:
    """International bank account numbers, with single spaces or hyphens between their characters or without."""
    for match in _IBAN.finditer(text):
        length = _COUNTRIES.get(match[0][:2])
        end = _after(text, match.start(), length) if length else None
        if end is not None:
            number = re.sub("[ -]", "", text[match.start() : end])
            if mod_97(number[4:] + number[:4]):
                yield Found("iban", match.start(), end, number[:2])


def _after(text: str, start: int, length: int) -> int | None:
    """Where so many letters and digits end; None where they end before, or go on."""
    place, left, gap = start, length, False
    while left and place < len(text):
        char = text[place]
        if char.isascii() and (char.isdigit() or char.isupper()):
            left, gap = left - 1, False
        elif char not in " -" or gap:
            return None
        else:
            gap = True
        place += 1
    return None if left or text[place : place + 1].isalnum() else place
