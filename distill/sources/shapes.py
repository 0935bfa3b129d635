"""a record -> what is said in it: messages, texts, a number. A record that says nothing is skipped with a reason."""

from __future__ import annotations

import math
from typing import Any

from pydantic import ValidationError

from distill.errors import SourceError
from distill.rows import Message
from distill.sources.columns import Column
from distill.sources.records import Record


class SkippedError(Exception):
    """This record makes no row; the reason is a slug."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def alternate(record: Record) -> list[Message]:
    """The record is a list of turns, user first."""
    if not isinstance(record.value, list):
        raise SkippedError("not_a_list")
    if len(record.value) < 2:
        raise SkippedError("one_turn")
    if any(isinstance(turn, dict | list) for turn in record.value):
        raise SkippedError("not_text")
    texts = [clean("" if turn is None else str(turn)) for turn in record.value]
    if not all(texts):
        raise SkippedError("empty_turn")
    return [Message(role="assistant" if i % 2 else "user", content=text) for i, text in enumerate(texts)]


def conversation(record: Record, column: str) -> list[Message]:
    """A column holds a list of `{role, content}`."""
    value = Column(column).value(record)
    if not isinstance(value, list) or not all(isinstance(message, dict) for message in value):
        raise SkippedError("not_a_list")
    return [message for one in value if (message := _message(one, record)) is not None]


def _message(value: dict[str, Any], record: Record) -> Message | None:
    """One message; an empty system message is none."""
    if "role" not in value or "content" not in value:
        found = ", ".join(map(str, value)) or "nothing"
        raise SourceError(f"a message has no `role` and `content`, but {found}", where=record.where)
    content, reasoning = value["content"], value.get("reasoning")
    if isinstance(content, dict | list):
        raise SkippedError("not_text")
    text = clean("" if content is None else str(content))
    if not text and value["role"] == "system":
        return None
    if not text:
        raise SkippedError("empty_turn")
    try:
        return Message(role=value["role"], content=text, reasoning=clean(str(reasoning)) if reasoning else None)
    except ValidationError as error:
        raise SkippedError("unknown_role") from error


def columns(record: Record, system: str | None, prompt: str | None, answer: str | None) -> list[Message]:
    """Templates of what each says; a system message that comes out empty is none."""
    texts = {
        role: clean(Column(template).render(record))
        for role, template in (("system", system), ("user", prompt), ("assistant", answer))
        if template is not None
    }
    if not texts["user"]:
        raise SkippedError("empty_prompt")
    if texts.get("assistant") == "":
        raise SkippedError("empty_answer")
    return [Message(role=role, content=text) for role, text in texts.items() if text]


def number(text: str) -> float:
    """A score as a number."""
    if not text.strip():
        raise SkippedError("no_score")
    try:
        value = float(text)
    except ValueError:
        raise SkippedError("score_no_number") from None
    if not math.isfinite(value):
        raise SkippedError("score_no_number")
    return value


def clean(text: str) -> str:
    """Without what cannot be written as UTF-8 (lone surrogates become U+FFFD) and without blank space around it.

    The first line keeps its indentation: in code it has a meaning.
    """
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.rstrip().lstrip("\r\n")
