"""Which letters and digits are a number of a person: one function a country, by that country's published rules."""

from __future__ import annotations

from distill.filter.privacy.checks import is_date, luhn, mod_11_10, verhoeff, weighted

_SPANISH = "TRWAGMYFPDXBNJZSQVHLCKE"
_ITALIAN_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
"""Worth of A to Z, and of 0 to 9, at the odd places of an Italian tax code."""
_FINNISH = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_MEXICAN = "0123456789ABCDEFGHIJKLMN\u00d1OPQRSTUVWXYZ"
_SHOWN = ("078051120", "219099999")
"""Social security numbers from advertisements: void, and everywhere."""


def us(number: str) -> bool:
    """Social security: no check digit, but areas, groups and serials that were never given out."""
    area, group, serial = number[:3], number[3:5], number[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000" and number not in _SHOWN


def gb(number: str) -> bool:
    """National insurance: no check digit, but prefixes that are not used."""
    first, second = number[0], number[1]
    unused = ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
    return first not in "DFIQUV" and second not in "DFIOQUV" and number[:2] not in unused


def gb_nhs(number: str) -> bool:
    return (11 - weighted(number, range(10, 1, -1)) % 11) % 11 == int(number[-1])


def de(number: str) -> bool:
    """Tax id: of the first ten digits one stands there twice or thrice, the others once at most."""
    counts = sorted(number[:10].count(digit) for digit in set(number[:10]))
    return number[0] != "0" and counts[-1] in (2, 3) and counts[-2] == 1 and mod_11_10(number)


def es(number: str) -> bool:
    digits = number[:-1].translate(str.maketrans("XYZ", "012"))
    return number[-1] == _SPANISH[int(digits) % 23]


def fr(number: str) -> bool:
    month = int(number[3:5])
    digits = number[:13].replace("2A", "19").replace("2B", "18")
    born = 1 <= month <= 12 or 20 <= month <= 42 or month >= 50
    return born and digits.isdigit() and 97 - int(digits) % 97 == int(number[13:])


def it(number: str) -> bool:
    worth = [int(char) if char.isdigit() else ord(char) - ord("A") for char in number[:15]]
    total = sum(value if place % 2 else _ITALIAN_ODD[value] for place, value in enumerate(worth))
    return ord(number[15]) - ord("A") == total % 26


def aadhaar(number: str) -> bool:
    return number[0] not in "01" and verhoeff(number)


def br(number: str) -> bool:
    if len(set(number)) == 1:
        return False
    first = weighted(number[:9], range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(number[:10], range(11, 1, -1)) * 10 % 11 % 10
    return number[9:] == f"{first}{second}"


def nl(number: str) -> bool:
    return len(set(number)) > 1 and weighted(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def be(number: str) -> bool:
    born, key = number[:9], int(number[9:])
    centuries = ("", "2") if born < "5" else ("",)  # of who was born since 2000, a 2 is put before it
    return any(97 - int(century + born) % 97 == key for century in centuries) and int(number[2:4]) <= 52


def pl(number: str) -> bool:
    month = int(number[2:4]) % 20
    dated = is_date(int(number[:2]), month, int(number[4:6]))
    return dated and weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def se(number: str) -> bool:
    short = number[-10:]
    day = int(short[4:6])
    dated = is_date(int(short[:2]), int(short[2:4]), day - 60 if day > 60 else day)
    return dated and luhn(short)


def no(number: str) -> bool:
    dated = is_date(int(number[4:6]), int(number[2:4]), int(number[:2]) % 40)
    first = weighted(number, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
    return dated and first and weighted(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def fi(number: str) -> bool:
    """Its mark of the century, a letter or a sign, may be gone."""
    digits = number[:6] + number[-4:-1]
    dated = is_date(int(number[4:6]), int(number[2:4]), int(number[:2]))
    return dated and digits.isdigit() and _FINNISH[int(digits) % 31] == number[-1]


def ch(number: str) -> bool:
    return weighted(number, (1, 3) * 6 + (1,)) % 10 == 0


def ca(number: str) -> bool:
    return number[0] not in "08" and luhn(number)


def au(number: str) -> bool:
    return len(set(number)) > 1 and weighted(number, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def cn(number: str) -> bool:
    dated = number[6] in "12" and is_date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    total = weighted(number[:17], [2**place % 11 for place in range(17, 0, -1)])
    return dated and "10X98765432"[total % 11] == number[17]


def kr(number: str) -> bool:
    """Numbers given since October 2020 have no check digit, and so none is asked for."""
    return is_date(int(number[:2]), int(number[2:4]), int(number[4:6]))


def mx(number: str) -> bool:
    dated = is_date(int(number[4:6]), int(number[6:8]), int(number[8:10]))
    total = sum(_MEXICAN.index(char) * (18 - place) for place, char in enumerate(number[:17]))
    return dated and -total % 10 == int(number[17])


def tr(number: str) -> bool:
    digits = [int(digit) for digit in number]
    tenth = (7 * sum(digits[:9:2]) - sum(digits[1:8:2])) % 10
    return digits[9] == tenth and digits[10] == sum(digits[:10]) % 10


def za(number: str) -> bool:
    return is_date(int(number[:2]), int(number[2:4]), int(number[4:6])) and luhn(number)


def sg(number: str) -> bool:
    old, new, other = "JZIHGFEDCBA", "XWUTRQPNMLK", "XWUTRQPNJLK"
    letters = {"S": old, "T": old, "F": new, "G": new, "M": other}[number[0]]
    offset = {"T": 4, "G": 4, "M": 3}.get(number[0], 0)
    return letters[(offset + weighted(number[1:8], (2, 7, 6, 5, 4, 3, 2))) % 11] == number[8]


def tw(number: str) -> bool:
    """Its letter is a place, and two digits: A is 10, in an order of its own."""
    place = str(10 + "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(number[0]))
    return weighted(place + number[1:], (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)) % 10 == 0


def any_number(number: str) -> bool:
    """What has no check digit: its form must say enough."""
    return bool(number)


def ro(number: str) -> bool:
    dated = is_date(int(number[1:3]), int(number[3:5]), int(number[5:7]))
    total = weighted(number, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return dated and (1 if total == 10 else total) == int(number[12])


def cz(number: str) -> bool:
    """Women's months count from 51."""
    month = int(number[2:4])
    month -= next((more for more in (70, 50, 20) if month > more), 0)
    return is_date(int(number[:2]), month, int(number[4:6])) and int(number[:9]) % 11 % 10 == int(number[9])
