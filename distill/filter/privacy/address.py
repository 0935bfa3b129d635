"""Addresses of machines, public ones alone, and addresses of the web that hold a password."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from distill.filter.privacy.found import Found

_V4 = re.compile(r"(?<![\w.+-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?!\.?[\w+-]|/[0-9]{1,2}(?![0-9.]))")
_VERSION = re.compile(
    r"(?:\bv|\bver|versions?|release|firmware|build|driver|update|patch|section|chapter|oid|[<>=~^])\W{0,4}$", re.I
)
"""Before four numbers that are no address."""
_V6 = re.compile(r"(?<![\w:.])[23][0-9a-f]{3}:[0-9a-f:]{2,34}(?![\w:])", re.I)
_PUBLIC = frozenset(
    "1.1.1.1 1.0.0.1 8.8.8.8 8.8.4.4 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220 4.2.2.1 4.2.2.2 "
    "2001:4860:4860::8888 2001:4860:4860::8844 2606:4700:4700::1111 2606:4700:4700::1001 2620:fe::fe".split()
)
"""Name servers that everybody may ask."""
_URL = re.compile(r"://(?P<user>[^\s/:@\"'<>{}$\[\]]{0,128}):(?P<password>[^\s/@\"'<>{}$\[\]*]{1,128})@(?=[^\s/@])")
_STAND_IN = re.compile(r"pass(?:word|wd)?|pw|pwd|secret|token|x+|your.*|my.*|\.+|-+", re.I)
"""What documentation puts in a password's place."""


def ips(text: str) -> Iterator[Found]:
    """Addresses that one machine of the public internet has; numbers of versions and sections are none."""
    for match in _V4.finditer(text):
        if max(map(len, match[0].split("."))) > 1 and not _VERSION.search(
            text, max(0, match.start() - 16), match.start()
        ):
            yield from _public(match)
    for match in _V6.finditer(text):
        yield from _public(match)


def _public(match: re.Match[str]) -> Iterator[Found]:
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return
    if address.is_global and not address.is_multicast and str(address) not in _PUBLIC:
        yield Found("ip", match.start(), match.end(), f"v{address.version}")


def credentials(text: str) -> Iterator[Found]:
    """`user:password` in the address of a server."""
    for match in _URL.finditer(text):
        if match["password"] != match["user"] and not _STAND_IN.fullmatch(match["password"]):
            yield Found("credentials", match.start("user"), match.end("password"))
