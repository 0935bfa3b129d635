"""A row -> what was found in it, and the row without it: each find replaced by what it was, as in [EMAIL_1].

Everything that a row says is looked at: messages and their thinking, what was rejected, evidence. Where it came from stays.
The same value has the same number throughout a row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from distill.filter.privacy.found import PLACEHOLDER, Found
from distill.rows import Message, Row

Find = Callable[[str], list[Found]]
"""text -> finds, in order and apart."""


@dataclass
class Redaction:
    """Takes the finds out of one row; afterwards it knows what they were and where, but not the finds."""

    find: Find
    taken: str
    """All that the row says: numbers that its placeholders have already are not given again."""
    finds: list[str] = field(default_factory=list)
    """Kind, place and masked form of each, for people."""
    kinds: Counter[str] = field(default_factory=Counter)
    _placeholders: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)
    _last: Counter[str] = field(default_factory=Counter, repr=False)
    """The highest number given, by kind."""

    def __post_init__(self) -> None:
        self._had = set(PLACEHOLDER.findall(self.taken))

    def row(self, row: Row) -> Row:
        """The row without its finds; a new object, for its id is another."""
        return Row(
            kind=row.kind,
            messages=self._messages(row.messages, "messages"),
            rejected=self._messages(row.rejected, "rejected"),
            evidence={name: self.text(text, f"evidence.{name}") for name, text in row.evidence.items()},
            provenance=row.provenance,
            scores=row.scores,
        )

    def _messages(self, messages: tuple[Message, ...], name: str) -> tuple[Message, ...]:
        return tuple(
            Message(
                role=message.role,
                content=self.text(message.content, f"{name}[{place}]"),
                reasoning=message.reasoning and self.text(message.reasoning, f"{name}[{place}].reasoning"),
            )
            for place, message in enumerate(messages)
        )

    def text(self, text: str, place: str) -> str:
        """A text without its finds. What stood against another find may be one only when that is gone: so again, until
        there is none."""
        while found := self.find(text):
            parts, end = [], 0
            for one in found:
                parts += [text[end : one.start], self._placeholder(one, text[one.start : one.end], place)]
                end = one.end
            text = "".join([*parts, text[end:]])
        return text

    def _placeholder(self, found: Found, value: str, place: str) -> str:
        self.kinds[found.kind] += 1
        what = f"{found.kind} ({found.what})" if found.what else found.kind
        self.finds.append(f"{what} {masked(found.kind, value)} in {place}")
        key = (found.kind, "".join(filter(str.isalnum, value.casefold())))
        if key not in self._placeholders:
            self._placeholders[key] = self._new(found.kind.upper())
        return self._placeholders[key]

    def _new(self, kind: str) -> str:
        self._last[kind] += 1
        while (placeholder := f"[{kind}_{self._last[kind]}]") in self._had:
            self._last[kind] += 1
        return placeholder


def said(row: Row) -> Iterator[str]:
    """Every text of a row."""
    for message in (*row.messages, *row.rejected):
        yield message.content
        if message.reasoning:
            yield message.reasoning
    yield from row.evidence.values()


def masked(kind: str, value: str) -> str:
    """What a find looks like, without what it is: the first letters of an address, the length of anything else."""
    if kind == "email" and (match := re.fullmatch(r"(\w).*@(\w).*\.(\w+)", value, re.S)):
        return f"{match[1]}***@{match[2]}***.{match[3]}"
    return f"of {len(value)} characters"
