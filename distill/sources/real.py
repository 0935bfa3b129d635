"""a data set made by people -> rows: which part of a record is the prompt, which the answer.

Every record is a row or is skipped with a reason that is counted. Knows nothing of file formats or of the split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from distill.context import Resolved
from distill.errors import SourceError
from distill.rows import Frozen, Message, Provenance, Row, read_rows, root_of
from distill.sources.columns import Column
from distill.sources.records import Record, read_files, read_hub

SHAPES = ("prompt", "messages", "turns")


class Real(Frozen):
    """A data set made by people, and how its records become rows.

    A template is either a column's name or Jinja over the record's columns (`"{{ title }}: {{ text }}"`).
    Exactly one shape is given: `prompt` (with `answer` and `system` where there are any), `messages`, or `turns`;
    none for `rows:` and `run:`, whose rows are taken as they are.
    """

    data: str
    """Reference: hub id, folder, file (JSONL, JSON, CSV, Parquet, YAML), `package:`, `run:` or `rows:`."""
    config: str | None = None
    """Configuration of a hub data set."""
    split: str = "train"
    """Split of a hub data set."""
    prompt: str | None = None
    """Template of what the user says; without `answer` the rows are prompts."""
    answer: str | None = None
    """Template of what the assistant answers."""
    system: str | None = None
    """Template of the system message; where it comes out empty there is none."""
    messages: str | None = None
    """Column that holds a list of `{role, content}`."""
    items: str | None = None
    """Key under which a JSON or YAML file holds its records as a list."""
    turns: Literal["alternate"] | None = None
    """The record is a list of turns, user first; a last turn without an answer is cut off."""
    limit: int | None = Field(None, gt=0)
    """First so many records only."""
    terms: tuple[str, ...] = ()
    """Licence ids, where the data does not carry its own or it must be corrected."""

    @model_validator(mode="after")
    def _one_shape(self) -> Real:
        given = [name for name in SHAPES if getattr(self, name) is not None]
        if self.has_rows:
            extra = [name for name in (*SHAPES, "answer", "system", "items", "config", "terms") if getattr(self, name)]
            if extra:
                raise ValueError(f"{self.data!r} holds rows already, so {_names(extra)} cannot be given")
            return self
        if len(given) != 1:
            found = f"found {_names(given)}" if given else "found none"
            raise ValueError(f"exactly one of {_names(SHAPES, 'or')} says how a record becomes a row: {found}")
        for name in ("answer", "system"):
            if getattr(self, name) is not None and self.prompt is None:
                raise ValueError(f"`{name}` goes with `prompt`, not with `{given[0]}`")
        return self

    @property
    def has_rows(self) -> bool:
        """The data are rows that distill wrote."""
        return self.data.startswith(("rows:", "run:"))

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds that its rows may have."""
        if self.has_rows:
            return frozenset({"prompt", "chat"})
        return frozenset({"chat" if self.answered else "prompt"})

    @property
    def answered(self) -> bool:
        """Its rows may have answers, so that they can be trained on."""
        return self.has_rows or any((self.answer, self.messages, self.turns))


class Reading:
    """The rows of a data set, in the order of its files and records, and what was counted on the way.

    Once it is exhausted, `read` = rows yielded + the sum of `skipped`.
    """

    def __init__(self, name: str, spec: Real, source: Resolved) -> None:
        self.name, self.spec, self.source = name, spec, source
        self.read = 0
        """Records."""
        self.skipped: Counter[str] = Counter()
        """Records that made no row, by reason."""
        self.first: dict[str, str] = {}
        """Place of the first record skipped for each reason, the same on every machine."""
        self.cut = 0
        """Rows whose last turns had no answer and were cut off."""

    def __iter__(self) -> Iterator[Row]:
        self.read, self.cut = 0, 0
        self.skipped.clear()
        self.first.clear()
        for record in self._records():
            self.read += 1
            try:
                yield self._row(record)
            except _SkippedError as skip:
                self.skipped[skip.reason] += 1
                self.first.setdefault(skip.reason, record.where.removeprefix(f"{self.source.path.parent}/"))
            if self.read == self.spec.limit:
                break
        if self.read == sum(self.skipped.values()):
            raise SourceError(f"no row in {self.read} records: {self.reasons}", where=f"real.{self.name}")

    @property
    def reasons(self) -> str:
        """`3 one_turn (first: FILE:7)`, the commonest reason first."""
        counts = self.skipped.most_common()
        return ", ".join(f"{count} {reason} (first: {self.first[reason]})" for reason, count in counts) or "none"

    def _records(self) -> Iterator[Record]:
        path = self.source.path
        is_hub = path.parent.name == "snapshots" and path.name == self.source.revision
        if self.spec.has_rows:
            return (Record(f"{path}, row {number}", row) for number, row in enumerate(read_rows(path), 1))
        if is_hub:
            if self.spec.items is not None:
                raise SourceError("`items` is for JSON and YAML files", where=f"real.{self.name}", hint="drop `items`")
            return read_hub(path, self.spec.config, self.spec.split)
        if self.spec.config is not None:
            raise SourceError("`config` is for data sets of the hub", where=f"real.{self.name}", hint="drop `config`")
        return read_files(path, self.spec.items)

    def _row(self, record: Record) -> Row:
        if isinstance(record.value, Row):
            if record.value.kind not in ("chat", "prompt"):
                raise _SkippedError(f"kind_{record.value.kind}")
            return record.value
        if self.spec.turns is not None:
            messages = _alternate(record)
        elif self.spec.messages is not None:
            messages = _conversation(record, self.spec.messages)
        else:
            messages = _columns(record, self.spec)
        whole = self._answered(messages)
        provenance = Provenance(
            source="real",
            origin=self.source.origin,
            method="real",
            root=root_of(whole),
            terms=self.spec.terms or self.source.terms,
        )
        kind: Literal["chat", "prompt"] = "chat" if whole[-1].role == "assistant" else "prompt"
        return Row(kind=kind, messages=tuple(whole), provenance=provenance)

    def _answered(self, messages: list[Message]) -> list[Message]:
        """Up to the last answer; all of it where nobody answers and the user is the last to speak."""
        spoken = [message.role for message in messages if message.role != "system"]
        if spoken[:1] != ["user"]:
            raise _SkippedError("no_user_first")
        if "assistant" not in spoken:
            if messages[-1].role != "user":
                raise _SkippedError("no_user_last")
            return messages
        end = max(i for i, message in enumerate(messages) if message.role == "assistant") + 1
        self.cut += end < len(messages)
        return messages[:end]


def read_real(name: str, spec: Real, source: Resolved) -> Reading:
    """The rows of a real data set; iterate to read, then ask it what was counted.

    Raises (while iterating):
        SourceError: unreadable or empty file, no row at all, or a column that does not exist (with the nearest that
            does), with file and record.
        TemplateError: a template with an unknown field.
    """
    return Reading(name, spec, source)


class _SkippedError(Exception):
    """This record makes no row; the reason is a slug."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _alternate(record: Record) -> list[Message]:
    if not isinstance(record.value, list):
        raise _SkippedError("not_a_list")
    if len(record.value) < 2:
        raise _SkippedError("one_turn")
    if any(isinstance(turn, dict | list) for turn in record.value):
        raise _SkippedError("not_text")
    texts = [_clean("" if turn is None else str(turn)) for turn in record.value]
    if not all(texts):
        raise _SkippedError("empty_turn")
    return [Message(role="assistant" if i % 2 else "user", content=text) for i, text in enumerate(texts)]


def _conversation(record: Record, column: str) -> list[Message]:
    value = Column(column).value(record)
    if not isinstance(value, list) or not all(isinstance(message, dict) for message in value):
        raise _SkippedError("not_a_list")
    return [message for one in value if (message := _message(one, record)) is not None]


def _message(value: dict[str, Any], record: Record) -> Message | None:
    """One message; an empty system message is none."""
    if "role" not in value or "content" not in value:
        found = ", ".join(map(str, value)) or "nothing"
        raise SourceError(f"a message has no `role` and `content`, but {found}", where=record.where)
    content, reasoning = value["content"], value.get("reasoning")
    if isinstance(content, dict | list):
        raise _SkippedError("not_text")
    text = _clean("" if content is None else str(content))
    if not text and value["role"] == "system":
        return None
    if not text:
        raise _SkippedError("empty_turn")
    try:
        return Message(role=value["role"], content=text, reasoning=_clean(str(reasoning)) if reasoning else None)
    except ValidationError as error:
        raise _SkippedError("unknown_role") from error


def _columns(record: Record, spec: Real) -> list[Message]:
    texts = {
        role: _clean(Column(template).render(record))
        for role, template in (("system", spec.system), ("user", spec.prompt), ("assistant", spec.answer))
        if template is not None
    }
    if not texts["user"]:
        raise _SkippedError("empty_prompt")
    if texts.get("assistant") == "":
        raise _SkippedError("empty_answer")
    return [Message(role=role, content=text) for role, text in texts.items() if text]


def _clean(text: str) -> str:
    """Without what cannot be written as UTF-8 (lone surrogates become U+FFFD) and without blank space around it.

    The first line keeps its indentation: in code it has a meaning.
    """
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.rstrip().lstrip("\r\n")


def _names(names: Sequence[str], word: str = "and") -> str:
    quoted = [f"`{name}`" for name in names]
    return f" {word} ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
