"""A file or folder that somebody has -> rows to be judged: rows that distill wrote, or records with a question and an answer.

Every file is a shard: it can be read by itself, wherever it is judged. A record is taken as it is, an empty answer too:
what is wrong with it is for the filters to say. One that does not say where it is from is taken as what a model wrote,
for filters look at that most strictly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from distill.errors import SourceError
from distill.rows import Message, Provenance, Row, root_of
from distill.sources.content import listing
from distill.sources.records import READERS, Record, read_files

QUESTION = ("question", "prompt", "instruction", "query")
ANSWER = ("answer", "response", "output", "completion")
METHOD = "given"
"""Of records that do not say how they were made."""
MORE = ("system", "input")
"""Columns that are read where they are there: a system message, and what an instruction is about."""
KEPT = ("evidence", "scores")
"""Columns that become the row's own where they are mappings: of names to texts (a reference, tests, a passage), and of
names to numbers."""
KINDS = (
    "rows of distill, {messages: [{role, content}, …]}, "
    f"one of {{{'/'.join(QUESTION)}}} and one of {{{'/'.join(ANSWER)}}}, or {{text}}; "
    "not {from, value} turns (ShareGPT) and not {chosen, rejected} pairs: rename their columns"
)
WRITTEN = (("ledger.json", "kept.jsonl"), ("manifest.json", "rows.jsonl"))
"""A file that only distill's folders have, and the rows beside it. Of what filters wrote nobody wants the dropped rows."""


@dataclass(frozen=True)
class Given:
    """Rows of a file, or of all data files under a folder."""

    path: Path
    origin: str
    """Of records that do not say where they are from."""

    @property
    def shards(self) -> list[Path]:
        """Its files with something in them, by name.

        Raises:
            SourceError: there is none.
        """
        written = [self.path / rows for mark, rows in WRITTEN if (self.path / mark).is_file()]
        files = [file for file in written if file.is_file()][:1]
        if not files:
            files = listing(self.path) if self.path.is_dir() else [self.path]
        found = [file for file in files if file.suffix.lower() in READERS and file.stat().st_size]
        if not found:
            raise SourceError(f"no rows: an empty file, or none of {', '.join(READERS)}", where=str(self.path))
        return found

    def __iter__(self) -> Iterator[Row]:
        """All rows, shard after shard."""
        for shard in self.shards:
            yield from self.of(shard)

    @property
    def unread(self) -> list[str]:
        """Columns of the first record that become no part of a row."""
        for record in read_files(self.shards[0], None):
            value = record.value
            if isinstance(value, dict) and "provenance" not in value:
                used = {*_said(value), *(name for name in KEPT if isinstance(value.get(name), dict))}
                return [str(name) for name in value if name not in used]
            break
        return []

    def of(self, shard: Path) -> Iterator[Row]:
        """Rows of one shard.

        Raises:
            SourceError: a record that is no row, with its place.
        """
        for record in read_files(shard, None):
            yield self._row(record)

    def _row(self, record: Record) -> Row:
        value = record.value
        if not isinstance(value, dict):
            raise SourceError("not a record with columns", where=record.where, hint=f"read are {KINDS}")
        try:
            if "provenance" in value:
                return Row.model_validate({name: part for name, part in value.items() if name != "id"})
            return self._made(value, record.where)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            hint = f"read are {KINDS}"
            raise SourceError(f"not a row: {place}: {first['msg']}", where=record.where, hint=hint) from error

    def _made(self, value: Mapping[str, Any], where: str) -> Row:
        messages = _messages(value, where)
        text = len(messages) == 1 and messages[0].role == "assistant"
        if messages[-1].role != "assistant":
            raise SourceError("no answer: the last to speak is not the assistant", where=where)
        made = Provenance(source="teacher", origin=self.origin, method=METHOD, root=root_of(messages), depth=1)
        kept = {
            name: {
                key: one for key, one in value[name].items() if one is not None
            }  # Parquet has every key in every row
            for name in KEPT
            if isinstance(value.get(name), dict)
        }
        return Row.model_validate(
            {"kind": "text" if text else "chat", "messages": messages, "provenance": made, **kept}
        )


def _said(value: Mapping[str, Any]) -> list[str]:
    """Columns that hold what was said: turns; or a question and its answer; or else a text. Empty where there are none.

    A text that stands beside question and answer is the two of them in a template, as Alpaca has it.
    """
    if "messages" in value:
        return ["messages"]
    pair = [name for names in (QUESTION, ANSWER) if (name := next((one for one in names if one in value), None))]
    if len(pair) == 2:
        return [*pair, *MORE]
    return ["text"] if "text" in value else []


def _messages(value: Mapping[str, Any], where: str) -> tuple[Message, ...]:
    if "messages" in value:
        said = value["messages"] if isinstance(value["messages"], list) else [value["messages"]]
        if not said:
            raise SourceError("`messages` is empty", where=where)
        return tuple(Message.model_validate(one) for one in said)
    if {"filter", "reason", "row"} <= set(value):
        hint = "name the kept.jsonl beside it, or write what is under `row` to a file of its own"
        raise SourceError("a row that filters dropped, with their reason", where=where, hint=hint)
    said = _said(value)
    if not said:
        raise SourceError(
            f"no question and answer among the columns {', '.join(map(str, value))}",
            where=where,
            hint=f"read are {KINDS}",
        )
    if said == ["text"]:
        return (Message(role="assistant", content=_text(value, "text", where)),)
    question, answer, *_ = said
    system, about = (_text(value, name, where) for name in MORE)
    asked = "\n\n".join(part for part in (_text(value, question, where), about) if part)
    messages = (Message(role="user", content=asked), Message(role="assistant", content=_text(value, answer, where)))
    return (Message(role="system", content=system), *messages) if system else messages


def _text(value: Mapping[str, Any], name: str, where: str) -> str:
    """A column's text, empty where it is null or not there."""
    text = value.get(name)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise SourceError(f"`{name}` is no text but {type(text).__name__}", where=where)
    return text
