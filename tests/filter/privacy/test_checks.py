"""Check digits: published examples pass, and every change of one digit is noticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from distill.filter.privacy import states
from distill.filter.privacy.checks import is_date, luhn, mod_11_10, mod_97, verhoeff

PUBLISHED: list[tuple[Callable[[str], bool], str]] = [
    (luhn, "79927398713"),
    (verhoeff, "2363"),
    (mod_11_10, "86095742719"),
    (states.gb_nhs, "9434765919"),
    (states.de, "86095742719"),
    (states.br, "52998224725"),
    (states.br, "11144477735"),
    (states.nl, "111222333"),
    (states.pl, "44051401359"),
    (states.ch, "7569217076985"),
    (states.ca, "130692544"),
    (states.au, "123456782"),
    (states.tr, "10000000146"),
    (states.za, "8001015009087"),
    (states.ro, "1800101221144"),
    (states.se, "8112189876"),
    (states.no, "15021951940"),
    (states.cz, "7103192745"),
]
"""From the texts that define them, and from encyclopedias."""
LETTERED: list[tuple[Callable[[str], bool], str]] = [
    (states.es, "12345678Z"),
    (states.es, "X1234567L"),
    (states.fr, "184127645108946"),
    (states.it, "RSSMRA85M01H501Q"),
    (states.fi, "131052308T"),
    (states.cn, "11010519491231002X"),
    (states.mx, "BOXW310820HNERXN09"),
    (states.sg, "S0000001I"),
    (states.tw, "A123456789"),
    (states.be, "85073003328"),
]


@pytest.mark.parametrize(("valid", "number"), [*PUBLISHED, *LETTERED])
def test_published_numbers_pass(valid: Callable[[str], bool], number: str) -> None:
    assert valid(number)


@pytest.mark.parametrize(("valid", "number"), PUBLISHED)
def test_another_last_digit_does_not(valid: Callable[[str], bool], number: str) -> None:
    others = [number[:-1] + str(digit) for digit in range(10) if str(digit) != number[-1]]
    assert not any(map(valid, others))


@pytest.mark.parametrize(("valid", "number"), LETTERED)
def test_another_check_letter_does_not(valid: Callable[[str], bool], number: str) -> None:
    last = number[-1]
    others = [char for char in ("0123456789" if last.isdigit() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ") if char != last]
    assert sum(valid(number[:-1] + other) for other in others) == 0


def test_luhn_and_verhoeff_notice_what_they_promise() -> None:
    swapped = "79927389713"
    assert not luhn(swapped)
    number = "2363"
    assert not any(
        verhoeff(number[:i] + str(d) + number[i + 1 :]) for i in range(4) for d in range(10) if str(d) != number[i]
    )
    assert not any(verhoeff(number[:i] + number[i + 1] + number[i] + number[i + 2 :]) for i in range(3))


def test_mod_97_counts_letters_from_ten() -> None:
    assert mod_97("WEST12345698765432GB82") and not mod_97("WEST12345698765432GB83")


def test_days() -> None:
    assert is_date(0, 2, 29) and not is_date(1, 2, 29) and not is_date(1900, 2, 29) and not is_date(85, 0, 1)


@pytest.mark.parametrize("number", ["000123456", "666123456", "900123456", "123006789", "123450000", "078051120"])
def test_social_security_numbers_that_were_never_given(number: str) -> None:
    assert not states.us(number) and states.us("123456789")


@pytest.mark.parametrize("number", ["BG123456A", "GB123456A", "QQ123456A", "AO123456A", "DA123456A"])
def test_national_insurance_prefixes_that_are_not_used(number: str) -> None:
    assert not states.gb(number) and states.gb("AB123456A")


def test_equal_digits_are_nobody() -> None:
    assert not states.br("11111111111") and not states.nl("000000000") and not states.au("000000000")
