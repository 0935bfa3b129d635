"""Keys, tokens and passwords: by the marks their issuers give them, and by what they are assigned to.

A value after `password:` counts only if it looks drawn or chosen: a name, a placeholder or a call of a function does not.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from distill.filter.privacy.found import Found

_ISSUED = {
    what: (mark, re.compile(rf"(?<![\w-])(?:{form})(?![\w-])"))
    for what, mark, form in (
        ("aws_id", "AKIA", "AKIA[A-Z2-7]{16}"),
        ("aws_session_id", "ASIA", "ASIA[A-Z2-7]{16}"),
        ("github_personal", "ghp_", r"ghp_[A-Za-z0-9]{20,251}"),
        ("github", "github_pat_", r"github_pat_\w{60,}"),
        ("github_app", "ghs_", r"ghs_[A-Za-z0-9]{20,251}"),
        ("github_oauth", "gho_", r"gho_[A-Za-z0-9]{20,251}"),
        ("gitlab", "glpat-", r"glpat-[\w.-]{20,}"),
        ("slack", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
        ("slack_hook", "hooks.slack.com", r"hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{16,}"),
        ("google", "AIza", r"AIza[\w-]{35}"),
        ("google_secret", "GOCSPX-", r"GOCSPX-[\w-]{28}"),
        ("google_oauth", "ya29.", r"ya29\.[\w-]{20,}"),
        ("language_model", "sk-", r"sk-(?=[\w-]{0,200}[0-9])(?=[\w-]{0,200}[A-Z])[\w-]{20,}"),
        ("hugging_face", "hf_", r"hf_[A-Za-z0-9]{30,}"),
        ("stripe", "k_live_", r"[sr]k_live_[A-Za-z0-9]{16,}"),
        ("stripe_test", "k_test_", r"[sr]k_test_[A-Za-z0-9]{16,}"),
        ("npm", "npm_", r"npm_[A-Za-z0-9]{36}"),
        ("pypi", "pypi-", r"pypi-[\w-]{50,}"),
        ("sendgrid", "SG.", r"SG\.[\w-]{22}\.[\w-]{43}"),
        ("digitalocean", "dop_v1_", r"dop_v1_[a-f0-9]{64}"),
        ("jwt", "eyJ", r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}"),
    )
}
"""What each is -> a part of it that is always there, and all of it."""
_LOW, _DASHED = ([mark for mark, _ in _ISSUED.values() if sign in mark] for sign in "_-")
_BARE = [mark for mark, _ in _ISSUED.values() if not set(mark) & set("_-")]
_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_END = "-----END "
_BODY = re.compile(r"[A-Za-z0-9+/]{24}")
_UNENDED = re.compile(r"[A-Za-z0-9+/=\s\\:,.-]*")
_NAMED = "pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|access[_-]key|private_key|auth_key"
_HINTS = ("passw", "passp", "pwd", "secret", "token", "_key", "-key", "apikey", "bearer")
"""One of them is in every name."""
_VALUE = r"[\"'`]?(?P<value>[^\s\"'`,;<>(){}\[\]|\\]{6,512}+)(?![(\[{])"
_ASSIGNED = re.compile(
    rf"(?P<name>{_NAMED})[\w-]{{0,20}}[\"'`]?[ \t]{{0,3}}(?:=>|:=|==?|:|\bis\b)[ \t]{{0,3}}{_VALUE}"
    rf"|--(?P<option>{_NAMED})[ \t]{_VALUE.replace('value', 'given')}"
    r"|\bbearer[ \t](?P<bearer>[\w.~+/=-]{20,})",
    re.I,
)
_CHOSEN = ("password", "passwd", "passphrase", "pwd")
"""A person may have made these up: they are shorter than what is drawn."""
_STAND_IN = re.compile(
    r"pass|user|your|example|sample|dummy|changeme|placeholder|secret|token|\bkey\b|xxx|\*\*|\.\.\.|\$|%|1234|0000|^[\w.]+\.[a-z_]+$|^https?:|^/|^--",
    re.I,
)
_CHOSEN_LEAST, _DRAWN_LEAST = 6, 16
"""Characters."""
_BITS = 3.0
"""Entropy of the characters of a drawn value, each: hex has 4, words repeat themselves."""


def keys(text: str) -> Iterator[Found]:
    """Secrets that open something."""
    yield from issued(text)
    if assigns(text):
        yield from _assigned(text)


def issued(text: str) -> Iterator[Found]:
    """Those that are known by the marks of who issued them."""
    for what, (mark, form) in _ISSUED.items():
        if mark in text:
            for match in form.finditer(text):
                if not match[0].endswith("EXAMPLE") and len(set(match[0])) > len(mark) + 3:
                    yield Found("key", match.start(), match.end(), what)
    if "PRIVATE KEY" in text:
        yield from _blocks(text)


def marked(text: str) -> bool:
    """Whether anything in it may be a key: the cheap question before the dear one."""
    return (
        any(mark in text for mark in _BARE)
        or ("_" in text and any(mark in text for mark in _LOW))
        or ("-" in text and ("PRIVATE KEY-" in text or any(mark in text for mark in _DASHED)))
        or assigns(text)
    )


def assigns(text: str) -> bool:
    """It speaks of something secret, and may say what that is."""
    if not (":" in text or "=" in text or " is " in text or "--" in text or "earer " in text):
        return False
    lower = text.lower()
    return any(word in lower for word in _HINTS)


def _blocks(text: str) -> Iterator[Found]:
    """Private keys, to the line that ends them, or as far as they go."""
    place, ended = 0, True
    while begin := _BEGIN.search(text, place):
        end = text.find(_END, begin.end()) if ended else -1
        ended = end >= 0
        if ended:
            closing = text.find("-----", end + len(_END))
            place = closing + 5 if 0 <= closing - end < 80 else end + len(_END)
        else:
            body = _UNENDED.match(text, begin.end())
            assert body is not None
            place = body.end()
        if _BODY.search(text, begin.end(), place):
            yield Found("key", begin.start(), place, "private_key")


def _assigned(text: str) -> Iterator[Found]:
    for match in _ASSIGNED.finditer(text):
        group = next(name for name in ("value", "given", "bearer") if match[name])
        value = match[group].rstrip(".:!?")
        name = (match["name"] or match["option"] or "bearer").casefold()
        if _is_secret(value, name in _CHOSEN):
            yield Found("key", match.start(group), match.start(group) + len(value), name.replace("-", "_"))


def _is_secret(value: str, chosen: bool) -> bool:
    """Letters and digits mixed, and no name or placeholder; what is drawn is long, and its characters differ."""
    if not (re.search("[0-9]", value) and re.search("[A-Za-z]", value)) or _STAND_IN.search(value):
        return False
    if chosen:
        return len(value) >= _CHOSEN_LEAST
    counts = Counter(value).values()
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts)
    return len(value) >= _DRAWN_LEAST and bits >= _BITS
