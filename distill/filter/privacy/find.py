"""text -> its finds, in order and apart from each other: the detectors that a text gives cause for, and nobody else.

Most texts have neither an @ nor a long number nor a word for a secret; they cost one look. Finds that overlap are taken
together, for what is left of the one may still be the other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from distill.filter.privacy.accounts import cards, ibans
from distill.filter.privacy.address import credentials, ips
from distill.filter.privacy.email import emails
from distill.filter.privacy.found import KINDS, Detector, Found
from distill.filter.privacy.identity import national_ids
from distill.filter.privacy.keys import keys, marked
from distill.filter.privacy.phone import phones
from distill.filter.privacy.plain import plain

_NUMBERS = re.compile(
    r"[0-9](?:(?:[ .()/:-]{0,2}[0-9]){6}|\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[0-9a-f]{3}:[0-9a-f:]"
    r"|[0-9][A-Z][0-9]{2}|[0-9]{3}[A-Z](?![A-Za-z])|[0-9](?: ?[0-9]{2}){2} ?[A-Z])"
)
"""What every find with digits has in it: seven of them with little between, or one of the shorter forms."""
_IN_LINES: dict[str, Detector] = {
    "card": cards,
    "iban": ibans,
    "phone": phones,
    "national_id": national_ids,
    "ip": ips,
}
_ANYWHERE: dict[str, Detector] = {"key": keys, "credentials": credentials, "email": emails}


def suspicious(text: str) -> bool:
    """Whether any detector has cause to look at a text in plain signs."""
    return "@" in text or marked(text) or _NUMBERS.search(text) is not None


def find(text: str, kinds: Collection[str] = KINDS) -> list[Found]:
    """Finds of some kinds, from the first to the last."""
    text = plain(text)
    return apart(_found(text, kinds)) if suspicious(text) else []


def _found(text: str, kinds: Collection[str]) -> Iterator[Found]:
    for kind, detector in _ANYWHERE.items():
        if kind in kinds:
            yield from detector(text)
    for start, line in _numbered(text):
        for kind, detector in _IN_LINES.items():
            if kind in kinds:
                yield from (replace(one, start=start + one.start, end=start + one.end) for one in detector(line))


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    """Lines that hold something like a number, and where they start: no such find goes on in the next line."""
    end = 0
    while match := _NUMBERS.search(text, end):
        start = text.rfind("\n", end, match.start()) + 1 or end
        end = text.find("\n", match.end())
        end = end if end >= 0 else len(text)
        yield start, text[start:end]


def apart(founds: Iterator[Found]) -> list[Found]:
    """In order; those that overlap are one, of the longest one's kind."""
    together: list[Found] = []
    for found in sorted(founds, key=lambda found: (found.start, -found.end)):
        last = together[-1] if together else None
        if last is None or found.start >= last.end:
            together.append(found)
        elif found.end > last.end:
            longer = found if found.end - found.start > last.end - last.start else last
            together[-1] = Found(longer.kind, last.start, found.end, longer.what)
    return together
