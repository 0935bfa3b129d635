"""The one record: a row of data, where it came from, and reading and writing rows as JSON lines.

This module knows nothing of models, files formats other than JSON lines, or stages.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from distill.errors import SourceError
from distill.evidence import QUESTION


class Frozen(BaseModel):
    """A value: never changed after it was made, and no unknown field is let in."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Frozen):
    role: Literal["system", "user", "assistant", "tool"]
    content: str
    reasoning: str | None = None
    """Thinking that led to the content, kept apart from it."""


class Provenance(Frozen):
    source: Literal["teacher", "real"]
    origin: str
    """`<model>@<revision>` or `<dataset>@<revision>`; the revision is never empty."""
    method: str
    """`answer`, `self_instruct`, … or `real`."""
    root: str
    """The prompt it descends from: the side of the split follows it (see `root_of`)."""
    parents: tuple[str, ...] = ()
    """Ids of the rows it was made from."""
    depth: int = 0
    """0 for real rows; else 1 + the deepest of the parents and the teacher."""
    terms: tuple[str, ...] = ()
    """Licences and terms that apply, all of them."""
    sampling: dict[str, Any] = {}
    """temperature, top_p, seed, template hash, engine, dtype: what made this answer."""


class Row(Frozen):
    kind: Literal["prompt", "chat", "text", "preference", "benchmark"]
    messages: tuple[Message, ...] = Field(min_length=1)
    """prompt: the last is the user's; chat, benchmark: the last is the assistant's answer; preference: the last is the
    answer that was chosen; text: the one message, the assistant's, is the text."""
    rejected: tuple[Message, ...] = ()
    """preference: what was said in place of the last message, and rejected."""
    evidence: dict[str, str] = {}
    """Passage, tests, reference answer: what a check needs."""
    provenance: Provenance
    scores: dict[str, FiniteFloat] = {}
    """What was measured, by name. What could not be measured has no score, never one that is no number."""

    @cached_property
    def id(self) -> str:
        """Hash of the content (not of scores or provenance), the same on every machine; 16 hex digits."""
        content: list[Any] = [self.kind, [message.model_dump() for message in self.messages]]
        if self.rejected or self.evidence:
            content += [[message.model_dump() for message in self.rejected], self.evidence]
        return digest(content)[:16]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Row:
        """The same row but for some fields; its id follows the content."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("id", None)  # pydantic would copy the remembered one
        return copy

    def scored(self, **scores: float | None) -> Row:
        """The same row with more scores, or without those that are None."""
        kept = {name: score for name, score in {**self.scores, **scores}.items() if score is not None}
        assert all(map(math.isfinite, kept.values())), kept  # a copy is not validated
        return self.model_copy(update={"scores": kept})

    @property
    def prompt(self) -> tuple[Message, ...]:
        """Everything before the answer: what a model is asked."""
        return self.messages[:-1] if self.messages[-1].role == "assistant" else self.messages

    @property
    def question(self) -> str:
        """The last thing the user said."""
        return next((m.content for m in reversed(self.prompt) if m.role == "user"), "")

    @property
    def roots(self) -> frozenset[str]:
        """Normalised prompts it stands for: where it came from, and what it asks; of an item that is asked after examples
        not the first of them."""
        own = self.evidence.get(QUESTION)
        asked = [root_of([Message(role="user", content=text)]) for text in (own, self.question)] if own else []
        return frozenset((self.provenance.root, *(asked or [root_of(self.messages)])))

    @property
    def answer(self) -> str:
        """The last assistant's content, empty for a prompt."""
        return self.messages[-1].content if self.messages[-1].role == "assistant" else ""


def digest(value: object) -> str:
    """sha256 in hex of a JSON value in its canonical form; what is not JSON is an error, never a memory address."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


WORDS = {code: " " for code in range(128) if not chr(code).isalnum()}
"""ASCII -> letters and digits alone."""


def normalise(text: str) -> str:
    """Lower case, one space between words, punctuation gone: what makes two prompts the same prompt.

    Combining marks stay: without its vowel signs a Hindi or Thai word is another word.
    """
    if text.isascii():  # the same, ten times as fast
        return " ".join(text.lower().translate(WORDS).split()) or text.strip()
    text = unicodedata.normalize("NFKC", text).casefold()
    spaced = "".join(char if unicodedata.category(char)[0] in "LMN" else " " for char in text)
    return " ".join(spaced.split()) or text.strip()


def readable(text: str) -> str:
    """The text without lone surrogates, which no tokenizer takes; a question mark stands for each."""
    return text.encode("utf-8", "replace").decode()


def root_of(messages: Sequence[Message]) -> str:
    """The root of a conversation: a hash of what the user said first, so that all that begins alike stays together."""
    first = next((m.content for m in messages if m.role == "user"), messages[0].content)
    return digest(normalise(first))[:16]


def to_line(row: Row) -> str:
    """One row as one line of JSON, its id first for the eye of the reader."""
    return to_json({"id": row.id, **row.model_dump(exclude_defaults=True)}) + "\n"


def to_json(value: object, indent: int | None = None) -> str:
    """JSON for people to read, in their own letters; half a surrogate pair, which UTF-8 cannot write, as `\\ud800`."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows as JSON lines and return how many."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(to_line(row))
            count += 1
    return count


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a JSON lines file, in its order.

    Raises:
        SourceError: a line that is not a row, with its number.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                record = json.loads(line)
                record.pop("id", None)
                yield Row.model_validate(record)
            except (ValueError, AttributeError, TypeError) as error:
                raise SourceError(f"not a row: {str(error)[:300]}", where=f"{path}:{number}") from error
