"""row -> what it teaches to say: every assistant's message with what it answers, or a text with nothing asked.

A student learns all answers of a conversation, not the last one alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

from distill.filter.bindings import RowFilter
from distill.protocols import KEEP, Verdict
from distill.rows import Row


class Turn(NamedTuple):
    asked: str
    """What the user said last before the answer; empty for a text."""
    said: str


def turns(row: Row) -> list[Turn]:
    """What an assistant says in a row, in order; of a preference what was chosen."""
    found, asked = [], ""
    for message in row.messages:
        if message.role == "user":
            asked = message.content
        elif message.role == "assistant":
            found.append(Turn(asked, message.content))
    return found


def taught(row: Row) -> Iterator[str]:
    """Every answer or text that a student is shown: of a preference what was rejected too."""
    for message in row.messages:
        if message.role == "assistant":
            yield message.content
    for message in row.rejected:
        yield message.content


class TurnFilter(RowFilter):
    """A filter that reads one answer at a time; a row is dropped for the first that it objects to."""

    def verdict(self, row: Row) -> Verdict:
        for turn in turns(row):
            found = self.objection(turn)
            if found:
                return found
        return KEEP

    @abstractmethod
    def objection(self, turn: Turn) -> Verdict | None:
        """Why the answer drops its row; None where it does not."""
