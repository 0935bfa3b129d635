"""rows -> items: which are asked, and the conversation that each is asked in. It knows nothing of what answers are worth."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from distill import templates
from distill.evidence import QUESTION
from distill.rows import Message, Row, digest, root_of

GROUP = "group"
"""Evidence that says what items share; it becomes their root."""
NAMED = re.compile(r"\{[{%][^}]*\bquestion\b")
"""A template that has a place for the question."""


def first(rows: Sequence[Row], count: int | None) -> list[Row]:
    """The first so many by the hash of their question, in the order they came in; one that is there twice counts once."""
    if count is None or count >= len(rows):
        return list(rows)
    ids = dict.fromkeys(row.id for row in sorted(rows, key=_hash))
    chosen = set(list(ids)[:count])
    return [row for row in rows if row.id in chosen]


def distinct(rows: Iterable[Row], count: int) -> list[Row]:
    """The first so many by hash, no two with one question."""
    by_question: dict[str, Row] = {}
    for row in sorted(rows, key=_hash):
        by_question.setdefault(root_of(row.messages), row)
    return list(by_question.values())[:count]


def _hash(row: Row) -> tuple[str, str]:
    return root_of(row.messages), row.id


@dataclass(frozen=True)
class Around:
    """What stands around the questions of a suite, the same for all of them."""

    text: str | None
    """Jinja; None leaves a question as it is."""
    place: str
    """Where the recipe has it, for errors."""

    def item(self, row: Row, turns: Sequence[Message], group: str | None) -> Row:
        """A row as it is asked: its own system message, the examples, its turns.

        Args:
            turns: of the examples.
            group: what it shares with items that are not independent of it; its root then.
        """
        asked = self._asked(row)
        system = [message for message in asked if message.role == "system"]
        spoken = [message for message in asked if message.role != "system"]
        evidence = {name: text for name, text in row.evidence.items() if name != GROUP}
        if turns or self.text is not None:
            own = "\n".join(message.content for message in row.prompt if message.role == "user")
            evidence.setdefault(QUESTION, own)
        root = digest([GROUP, group])[:16] if group else row.provenance.root
        kind: Literal["benchmark", "prompt"] = "benchmark" if row.answer else "prompt"
        return Row(
            kind=kind,
            messages=(*system, *turns, *spoken),
            evidence=evidence,
            provenance=row.provenance.model_copy(update={"root": root}),
        )

    def example(self, row: Row) -> list[Message]:
        """A row as it is shown: question and answer, without a system message of its own."""
        return [message for message in self._asked(row) if message.role != "system"]

    def _asked(self, row: Row) -> list[Message]:
        """Its messages, with the words around the last question."""
        messages = list(row.messages)
        if self.text is None:
            return messages
        place = max(place for place, message in enumerate(messages) if message.role == "user")
        own = messages[place].content
        values = {**row.evidence, "question": own}
        text = templates.render(self.text, self.place, **values)
        messages[place] = Message(role="user", content=text if NAMED.search(self.text) else f"{text}\n\n{own}")
        return messages
