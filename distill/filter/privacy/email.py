"""E-mail addresses, by the name of their host: a top-level domain that exists, and no name kept for examples.

What is looked for is the @; from there the address is read to both sides, so that a text without one costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from distill.filter.privacy.found import Found

_AT = re.compile(r"(?<=[\w+-])@(?=[^\W_])")
_LOCAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+/=?^_`{|}~-")
_LOCAL_MOST = 64
"""Characters before the @, by RFC 5321."""
_HOST = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:[a-z]{2,24}|xn--[a-z0-9-]{2,59}|[^\W\d_a-z]{2,24})(?![\w(])", re.I
)
_RESERVED = re.compile(
    r"(?:^|\.)(?:example\.(?:com|net|org|edu)|(?:test|example|invalid|localhost|local|internal|lan))$"
)
"""Names that RFC 2606 and 6761 keep for examples and private nets: nobody's addresses."""
_GENERIC = frozenset(
    "com net org edu gov mil int info biz name pro museum aero coop jobs mobi travel tel cat asia post app dev page web cloud "
    "online site store shop tech blog club live life world today news email mail chat group team work works services service "
    "support solutions systems software network digital media agency company consulting marketing design studio art photo "
    "photography gallery space website host hosting codes academy education school university college institute science "
    "health care clinic dental doctor hospital legal law lawyer attorney finance financial bank money insurance capital fund "
    "ventures global international europe london paris berlin tokyo nyc top xyz icu vip win fun wiki games game bike cafe "
    "restaurant bar pizza fit yoga church foundation ngo community social family kids love dog pet house homes property land "
    "estate rentals construction energy green farm garden express delivery cars auto taxi tours holiday events wedding fashion "
    "clothing style beauty salon gold one plus zone link click help guru expert ninja rocks cool sexy wtf lol swiss wales scot "
    "bayern koeln hamburg wien eus gal quebec istanbul moscow africa lat ltd gmbh llc inc srl sarl spa rsvp tv bz".split()
)
"""Top-level domains of more than two letters that people have addresses under; all of two letters count as countries."""
_IN_URL = re.compile(r"://[^\s/@]*$")
_LOGINS = frozenset(("git", "hg", "svn", "user", "username", "root"))
"""Whom a host is asked for in commands: `git@host`, `user@host`."""


def emails(text: str) -> Iterator[Found]:
    """E-mail addresses of hosts that may exist; logins such as git@github.com are none."""
    for at in _AT.finditer(text):
        host = _HOST.match(text, at.end())
        start = _start(text, at.start())
        if host is None or start is None:
            continue
        name, top = host[0].casefold(), host[0].rpartition(".")[2].casefold()
        known = len(top) == 2 or top in _GENERIC or not top.isascii() or top.startswith("xn--")
        if known and not _RESERVED.search(name) and text[start : at.start()].casefold() not in _LOGINS:
            yield Found("email", start, host.end())


def _start(text: str, at: int) -> int | None:
    """Where the part before the @ begins: at a letter or digit; None where it is none, longer than it may be, or whom a
    URL asks for."""
    start = at
    while start > 0 and at - start <= _LOCAL_MOST and (text[start - 1] in _LOCAL or text[start - 1].isalpha()):
        start -= 1
    if at - start > _LOCAL_MOST:
        return None
    while start < at and not (text[start].isalnum() or text[start] == "_"):
        start += 1
    if start == at or ".." in text[start:at] or _IN_URL.search(text, max(0, start - _LOCAL_MOST), start):
        return None
    return start
