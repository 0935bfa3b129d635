"""Numbers that a state gives to a person, by their form and, where they have one, their check digit.

A form that one number in a hundred has by chance counts only after a word that says what it is (`near`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from distill.filter.privacy import states
from distill.filter.privacy.found import Found

NEAR = 40
"""Characters before a number in which such a word is looked for."""


@dataclass(frozen=True)
class Identity:
    name: str
    """Code of the country, and what the number is called there."""
    form: re.Pattern[str]
    valid: Callable[[str], bool]
    """Of its letters and digits alone."""
    near: re.Pattern[str] | None = None
    """A word that must stand before it where its form is not enough."""
    bare: bool = True
    """Whether it needs no such word when it is written with its own marks."""


def _identity(name: str, form: str, valid: Callable[[str], bool], near: str = "", marked: bool = False) -> Identity:
    """Args:
    marked: a number with marks between its groups needs no word.
    """
    bounded = re.compile(rf"(?<![\w.+/-])(?:{form})(?!\w|[-./][\w])")
    return Identity(name, bounded, valid, re.compile(near, re.I) if near else None, marked)


IDENTITIES = (
    _identity("us_ssn", r"\d{3}([ -])\d{2}\1\d{4}|\d{9}", states.us, r"\bssn\b|social.?security", marked=True),
    _identity("gb_nino", r"[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]", states.gb),
    _identity("gb_nhs", r"\d{3}([ -]?)\d{3}\1\d{4}", states.gb_nhs, r"\bnhs\b"),
    _identity("de_tax_id", r"\d{2}([ ]?)\d{3}\1\d{3}\1\d{3}", states.de),
    _identity("es_dni", r"(?:\d{8}|\d{2}\.\d{3}\.\d{3})[ -]?[A-Z]", states.es),
    _identity("es_nie", r"[XYZ][ -]?\d{7}[ -]?[A-Z]", states.es),
    _identity("fr_nir", r"[1-478]( ?)\d{2}\1\d{2}\1(?:\d{2}|2[AB])\1\d{3}\1\d{3}(?: ?| ?/ ?| ?- ?)\d{2}", states.fr),
    _identity("it_tax_code", r"[A-Z]{6} ?\d{2}[A-EHLMPRST]\d{2} ?[A-Z]\d{3} ?[A-Z]", states.it),
    _identity("in_aadhaar", r"\d{4}([ -]?)\d{4}\1\d{4}", states.aadhaar, r"aadha+r|uidai|आधार", marked=True),
    _identity("in_pan", r"[A-Z]{3}P[A-Z]\d{4}[A-Z]", states.any_number),
    _identity("br_cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}|\d{11}", states.br, r"\bcpf\b", marked=True),
    _identity("nl_bsn", r"\d{4}[. ]?\d{2}[. ]?\d{3}", states.nl, r"\bbsn\b|burgerservice|sofi"),
    _identity(
        "be_rrn",
        r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}|\d{11}",
        states.be,
        r"rijksregister|registre national|\bnrn\b",
        marked=True,
    ),
    _identity("pl_pesel", r"\d{11}", states.pl, r"\bpesel"),
    _identity("se_personnummer", r"(?:\d{2})?\d{6}[-+]\d{4}", states.se),
    _identity("no_fodselsnummer", r"\d{6} ?\d{5}", states.no),
    _identity("fi_hetu", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]", states.fi),
    _identity("ch_ahv", r"756\.?\d{4}\.?\d{4}\.?\d{2}", states.ch),
    _identity("ca_sin", r"\d{3}([ -])\d{3}\1\d{3}|\d{9}", states.ca, r"\bsin\b|social.?insurance|\bnas\b"),
    _identity("au_tfn", r"\d{3}([ ]?)\d{3}\1\d{3}", states.au, r"\btfn\b|tax file"),
    _identity("cn_resident", r"\d{17}[\dX]", states.cn),
    _identity("kr_rrn", r"\d{6}-[1-4]\d{6}", states.kr),
    _identity("mx_curp", r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HM][A-Z]{5}[A-Z0-9]\d", states.mx),
    _identity("tr_kimlik", r"[1-9]\d{10}", states.tr, r"kimlik|\btckn|\bt\.?c\.?"),
    _identity("za_id", r"\d{6} ?\d{4} ?[01]\d{2}", states.za),
    _identity("sg_nric", r"[STFGM]\d{7}[A-Z]", states.sg),
    _identity("tw_id", r"[A-Z][12]\d{8}", states.tw),
    _identity("ro_cnp", r"[1-8]\d{12}", states.ro),
    _identity("cz_birth_number", r"\d{6}/\d{4}", states.cz),
)


def national_ids(text: str) -> Iterator[Found]:
    """Numbers of persons in any of the countries known here."""
    for one in IDENTITIES:
        for match in one.form.finditer(text):
            number = "".join(filter(str.isalnum, match[0]))
            if one.near and not (one.bare and number != match[0]):
                before = text[max(0, match.start() - NEAR) : match.start()]
                if not one.near.search(before):
                    continue
            if one.valid(number):
                yield Found("national_id", match.start(), match.end(), one.name)
