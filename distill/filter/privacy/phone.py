"""Telephone numbers: international ones by country, national ones in the forms they are written in, others after a word.

Precision comes first: seven digits alone are a number of anything. Numbers kept for films (555-0123) are nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from distill.filter.privacy.found import Found

_INTERNATIONAL = re.compile(
    r"(?<![\w+*/=^.,-])(?:\+|00[ .-]?)(?P<digits>[1-9](?:(?: ?\(0\) ?|[ ./-]|[ -]?\(|\)[ -]?)?[0-9]){6,16})(?![0-9])"
)
_TWO = frozenset("20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58".split()) | frozenset(
    "60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98".split()
)
_THREE = re.compile(r"2[1-69]|35|37|38|42|50|59|6[789]|85|88|96|97|99")
"""Beginnings of the codes of countries by the ITU: those of two digits, and of three; 1 and 7 stand alone."""
_LENGTHS = {
    code: frozenset(range(least, most + 1))
    for least, most, codes in (
        (10, 10, "1 7 30 52 57 58 90 91 92 98 234"),
        (9, 9, "27 33 34 40 41 48 56 93 94 212 251 254 255 256 260 263 351 380 420 421 966 977 998"),
        (8, 8, "45 47 65 216 370 371 502 503 504 505 506 591 598 852 853 965 968 973 974"),
        (8, 9, "32 36 51 66 213 233 359 381 385 386 387 886 962 971 972 994 995 374 375"),
        (8, 10, "20 44 63 81 82 84 880"),
        (8, 11, "39 49 54 55 62 86"),
        (7, 13, "43"),
        (7, 10, "31 46 60 61 64 353 358"),
    )
    for code in codes.split()
}
"""Digits of a number by its country's code, without it."""
_OTHERS = frozenset(range(6, 11))
"""Of all other countries."""
_EXTENSION = re.compile(r" ?(?:x|ext\.?|extension) ?[0-9]{2,6}(?!\w)", re.I)
_AREA, _OFFICE = r"(?!.11)[2-9][0-8][0-9]", r"(?!.11)[2-9][0-9]{2}"
_NATIONAL = tuple(
    re.compile(rf"(?<![\w+*/=^.-])(?<!\$ )(?:{form})(?!(?!x[0-9])\w|[-./,][0-9])")
    for form in (
        rf"(?:1[ .-])?\({_AREA}\)[ -]?{_OFFICE}[ .-][0-9]{{4}}",
        rf"(?:1[.-])?{_AREA}([.-]){_OFFICE}\1[0-9]{{4}}",  # North America
        r"0[1-9]([ .-])[0-9]{2}(?:\1[0-9]{2}){3}",  # France
        r"07[0-9]{3} [0-9]{3} ?[0-9]{3}|0[12][0-9]{2,3} [0-9]{3} ?[0-9]{3,4}|02[0-9] [0-9]{4} [0-9]{4}",  # Britain
        r"\(0[1-9][0-9]{1,4}\) ?[0-9]{3,4}[ -]?[0-9]{3,5}",  # Germany, Italy, Britain
        r"0[1-9][0-9]{1,4} ?/ ?[0-9]{5,8}|01[5-7][0-9][ -][0-9]{7,8}",  # Germany
        r"(?=(?:-?[0-9]){10,11}(?![0-9]))0[0-9]{1,3}-[0-9]{2,4}-[0-9]{4}",  # Japan, Korea
        r"\([1-9][0-9]\) ?9?[0-9]{4}-[0-9]{4}",  # Brazil
        r"04[0-9]{2} [0-9]{3} [0-9]{3}|\(0[2378]\) ?[0-9]{4} [0-9]{4}",  # Australia
        r"1[3-9][0-9]([ -])[0-9]{4}\1[0-9]{4}",  # China
        r"0[1-9][0-9]{2}[ -][0-9]{2}[ -][0-9]{2}[ -][0-9]{2}|06[ -][0-9]{8}",  # the Netherlands and others
    )
)
_WORD = (
    "(?:tele|cell|mobile )?phone|tel|cell|fax|mobile|whats ?app|telefono?|téléphone|teléfono|móvil|celular|handy|portable|telefone|"
    "телефон"
)
_WORD_UNSPACED = "फ़ोन|मोबाइल|电话|電話|手机|手機|전화"
_NAMED = re.compile(
    rf"(?:(?<![^\W_])(?:{_WORD})(?: ?(?:number|no\.?|nr\.?|num(?:éro|ero)|número|nummer))?|{_WORD_UNSPACED}"
    r"|\b(?:call|text|ring|reach) (?:me|us|him|her|them) (?:at|on))"
    r"[\"']?(?:\.| is| at| on| ist| est| es| é|नंबर)?[ :：=#\"']{1,4}"
    r"(?P<number>\(?[0-9](?:[ .()/-]{0,2}[0-9]){6,13})(?!(?!x[0-9])\w|[-.,][0-9])",
    re.I,
)
"""After a word that says what it is, a number of any form."""
_FICTION = re.compile(
    r"(?:1?\d{3})?55501\d\d|(?:44|0)(?:7700900|1632960|2079460|1134960|1144960|1154960|1164960|1174960|1184960|1214960|1314960"
    r"|1414960|1514960|1614960|1914980|8081570|9098790|3069990)\d{3}"
)
"""Numbers that the regulators of North America and Britain keep for films and books."""


def phones(text: str) -> Iterator[Found]:
    """Telephone numbers that a person may have."""
    for match in _INTERNATIONAL.finditer(text):
        end = _international(text, match)
        if end is not None:
            yield _found(text, match.start(), end)
    for form in _NATIONAL:
        for match in form.finditer(text):
            if not _FICTION.fullmatch(_digits(match[0])) and len(set(_digits(match[0]))) > 2:
                yield _found(text, match.start(), match.end())
    for match in _NAMED.finditer(text):
        if not _FICTION.fullmatch(_digits(match["number"])) and len(set(_digits(match["number"]))) > 1:
            yield _found(text, match.start("number"), match.end("number"))


def _found(text: str, start: int, end: int) -> Found:
    """With its extension."""
    more = _EXTENSION.match(text, end)
    return Found("phone", start, more.end() if more else end)


def _digits(text: str) -> str:
    return re.sub("[^0-9]", "", text)


def _international(text: str, match: re.Match[str]) -> int | None:
    """Where a number ends that its country may have: at the last mark or end that leaves it a number of digits allowed."""
    written = match["digits"].replace("(0)", "   ")
    digits = [place for place, char in enumerate(written) if char.isdigit()]
    number = "".join(written[place] for place in digits)
    code = _code(number)
    if code is None or (text[match.start()] == "0" and written.isdigit()):
        return None
    if code == "1" and number[1] in "01":
        return None
    for count in sorted(_LENGTHS.get(code, _OTHERS), reverse=True):
        size = len(code) + count
        ends = len(number) == size or (len(number) > size and digits[size] > digits[size - 1] + 1)
        if ends and len(number) >= size and not _FICTION.fullmatch(number[:size]):
            return match.start("digits") + digits[size - 1] + 1
    return None


def _code(number: str) -> str | None:
    """The code of the country that a number begins with, where there is one."""
    if number[0] in "17":
        return number[0]
    return number[:2] if number[:2] in _TWO else number[:3] if _THREE.match(number) else None
