"""A filter that drops rows whose characters are damaged, or hidden from the reader.

    surrogate              half of a surrogate pair: no text at all, and nothing that UTF-8 can write
    replacement_character  U+FFFD: something could not be decoded
    control_character      a control character other than tab, line end and form feed
    no_character           code points without a meaning: non-characters and private use, as PDFs leave them behind
    hidden                 a direction override, a direction mark left open, tag letters, or a zero-width character between
                           Latin letters: what is read is not what is written
    mojibake               UTF-8 that was read as another encoding, as `ftfy` sees it
    mixed_script           a word in which Latin and Cyrillic letters take turns: look-alikes

Whole rows are read, questions too: a student learns to answer what it will be asked. Joiners stay where scripts and
emoji need them, "PDFы" and "API를" are words, and Greek letters stand in formulas.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Literal

from distill.filter.bindings import RowFilter, installed
from distill.protocols import KEEP, Verdict
from distill.rows import Row

_CONTROL = r"\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f"
_LATIN, _CYRILLIC = r"A-Za-zÀ-ÖØ-öø-ɏ", r"Ѐ-ӿ"
_HIDING = "\u200b-\u200d\u2060\ufeff"
_MEANINGLESS = "\ue000-\uf8fe\ufdd0-\ufdef\ufffe\uffff\U000f0000-\U0010ffff"
_SUSPECT = re.compile(
    rf"[{_CONTROL}{_HIDING}{_MEANINGLESS}\ud800-\udfff\ufffd\u202a-\u202e\u2066-\u2069\U000e0001-\U000e007f]"
)
"""What texts without damage seldom have: one look, before it is asked what is wrong."""
_DAMAGE = re.compile(
    rf"(?P<surrogate>[\ud800-\udfff])|(?P<replacement_character>\ufffd)|(?P<control_character>[{_CONTROL}])"
    rf"|(?P<no_character>[{_MEANINGLESS}])"
    "|(?P<hidden>[\u202d\u202e]|(?<![\U0001f3f4\U000e0020-\U000e007e])[\U000e0001-\U000e007f]"
    rf"|[{_LATIN}][{_HIDING}]+[{_LATIN}])"
)
_CONTROLS = re.compile(f"[{_CONTROL}]")
_MIXED = re.compile(f"[{_LATIN}][{_CYRILLIC}]+[{_LATIN}]|[{_CYRILLIC}][{_LATIN}]+[{_CYRILLIC}]")
_PAIR = re.compile(f"[{_CYRILLIC}]|[\x80-\u02ff\u2010-\u25ff\ufb01\ufb02]{{2}}")
"""Mojibake is at least two characters of a one-byte encoding side by side."""
_OPENS, _CLOSES = "\u202a\u202b\u2066\u2067\u2068", "\u202c\u2069"
_DIRECTION = re.compile(f"[{_OPENS}{_CLOSES}]")
_TRIED, _AROUND = 20, 60
"""Suspicions of mojibake that are followed up in a text, and the characters around each that are read for it."""


class Encoding(RowFilter):
    """Drops rows with encoding damage or hidden characters."""

    kind: Literal["encoding"] = "encoding"
    mojibake: bool = True
    """Whether UTF-8 read as another encoding is looked for."""
    mixed_script: bool = True
    """Whether words of Latin and Cyrillic letters are looked for."""

    @property
    def versions(self) -> dict[str, str]:
        return installed("ftfy") if self.mojibake else {}

    def verdict(self, row: Row) -> Verdict:
        for message in (*row.messages, *row.rejected):
            found = self._damage(message.content)
            if found:
                reason, place = found
                return Verdict(False, reason, float(place), f"{message.role}: {_shown(message.content, place)}")
        return KEEP

    def _damage(self, text: str) -> tuple[str, int] | None:
        """What is wrong first, and where."""
        if text.isascii():
            control = _CONTROLS.search(text)
            return ("control_character", control.start()) if control else None
        if _SUSPECT.search(text):
            damage = _DAMAGE.search(text)
            if damage:
                return str(damage.lastgroup), damage.start()
            if _left_open(text):
                return "hidden", _DIRECTION.search(text).start()  # type: ignore[union-attr]
        if not _PAIR.search(text):
            return None
        mixed = _MIXED.search(text) if self.mixed_script else None
        if mixed:
            return "mixed_script", mixed.start()
        garbled = _garbled(text) if self.mojibake else None
        return ("mojibake", garbled) if garbled is not None else None


def _left_open(text: str) -> bool:
    """Whether a line ends with more direction marks opened than closed: the rest of the line is shown out of order."""
    if not _DIRECTION.search(text):
        return False
    for line in text.splitlines():
        marks = _DIRECTION.findall(line)
        if sum(mark in _OPENS for mark in marks) > sum(mark in _CLOSES for mark in marks):
            return True
    return False


def _garbled(text: str) -> int | None:
    """Where the first mojibake is: unlikely characters that make sense when the wrong reading is undone."""
    from ftfy import fix_encoding
    from ftfy.badness import BADNESS_RE

    for match in islice(BADNESS_RE.finditer(text), _TRIED):
        around = text[max(0, match.start() - _AROUND) : match.end() + _AROUND]
        if fix_encoding(around) != around:
            return int(match.start())
    return None


def _shown(text: str, place: int) -> str:
    """What surrounds a place, with every character visible."""
    return ascii(text[max(0, place - 20) : place + 20])
