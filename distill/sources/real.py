"""a data set made by people -> rows: which part of a record is the prompt, which the answer, which a text.

Every record is a row (a text that is cut: several) or is skipped with a reason that is counted. Knows nothing of file
formats or of the split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field, model_validator

from distill.context import Resolved
from distill.errors import SourceError
from distill.rows import Frozen, Message, Provenance, Row, read_rows, root_of
from distill.sources.columns import Column, unrolled
from distill.sources.documents import read_texts
from distill.sources.passages import passages, size
from distill.sources.records import Record, read_files, read_hub
from distill.sources.shapes import SkippedError, alternate, clean, columns, conversation, number

SHAPES = ("prompt", "messages", "turns", "text")
PEOPLE = "people"
"""Name among a row's scores of how good people found the answer."""
BELONGS = {"answer": "prompt", "system": "prompt", "title": "text", "passage_words": "text", "min_words": "text"}
"""Fields that say more of a shape, and the shape."""
TAKEN = ("chat", "prompt", "text")
"""Kinds of rows that can be trained on, or asked: what was made to measure with is not among them."""
MIN_WORDS = 8
"""Words of a text that is worth learning, where the recipe does not say."""


class Real(Frozen):
    """A data set made by people, and how its records become rows.

    A template is either a column's name or Jinja over the record's columns (`"{{ title }}: {{ text }}"`).
    Exactly one shape is given: `prompt` (with `answer` and `system` where there are any), `messages`, `turns`, or
    `text`; none for `rows:` and `run:`, whose rows are taken as they are.
    """

    data: str
    """Reference: hub id, folder, file (JSONL, JSON, CSV, Parquet, YAML; documents too for `text`), `package:`, `run:`
    or `rows:`."""
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
    text: str | None = None
    """Template of a text that is no conversation. A document (`.txt`, `.md`) is a record with `text`, `title`, `path`."""
    title: str | None = None
    """Template of what a text is called; kept beside it for methods that ask about it."""
    passage_words: int | None = Field(None, ge=10)
    """Words of the passages that a text is cut into, at the ends of paragraphs and sentences; whole when not given."""
    min_words: int | None = Field(None, ge=1)
    """Least words of a text or passage; a shorter one is skipped. 8 when not given."""
    each: str | None = None
    """Column that holds a list: every item is a record of its own, with `item`, `index` and the other columns."""
    score: str | None = None
    """Template of a number that says how good people found the answer. Of an answer that is there twice the first counts."""
    evidence: dict[str, str] = {}
    """Templates of what a check needs, by name: `reference` (of a question), `tests` and `entry_point` (of a task for
    a program). Empty ones are left out; a column that holds a list or an object is written as JSON."""
    limit: int | None = Field(None, gt=0)
    """First so many records only."""
    terms: tuple[str, ...] = ()
    """Licence ids, where the data does not carry its own or it must be corrected."""

    @model_validator(mode="after")
    def _one_shape(self) -> Real:
        given = [name for name in SHAPES if getattr(self, name) is not None]
        if self.has_rows:
            fields = (*SHAPES, *BELONGS, "items", "each", "score", "evidence", "config", "terms")
            extra = [name for name in fields if getattr(self, name)]
            if extra:
                raise ValueError(f"{self.data!r} holds rows already, so {_names(extra)} cannot be given")
            return self
        if len(given) != 1:
            found = f"found {_names(given)}" if given else "found none"
            raise ValueError(f"exactly one of {_names(SHAPES, 'or')} says how a record becomes a row: {found}")
        for name, shape in BELONGS.items():
            if getattr(self, name) is not None and shape not in given:
                raise ValueError(f"`{name}` goes with `{shape}`, not with `{given[0]}`")
        if (self.score or self.evidence) and self.text is not None:
            raise ValueError("`score` and `evidence` are of prompts and answers, not of a `text`")
        if self.score is not None and not self.answered:
            raise ValueError("`score` is of an answer, and there is none: give `answer`")
        return self

    @property
    def has_rows(self) -> bool:
        """The data are rows that distill wrote."""
        return self.data.startswith(("rows:", "run:"))

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds that its rows may have."""
        if self.has_rows:
            return frozenset({"prompt", "chat", "text"})
        if self.text is not None:
            return frozenset({"text"})
        return frozenset({"chat" if self.answered else "prompt"})

    @property
    def answered(self) -> bool:
        """Its rows may have answers."""
        return self.has_rows or any((self.answer, self.messages, self.turns))

    @property
    def teaches(self) -> bool:
        """Its rows can be trained on: they have answers, or are texts."""
        return self.answered or self.text is not None


class Reading:
    """The rows of a data set, in the order of its files and records, and what was counted on the way.

    Once it is exhausted, `read` = rows yielded + the sum of `skipped`; each passage of a text is read by itself.
    """

    def __init__(self, name: str, spec: Real, source: Resolved, place: str = "", kinds: Sequence[str] = TAKEN) -> None:
        """`place` is where the recipe names the data, `kinds` are those of rows that are taken as they are."""
        self.name, self.spec, self.source, self.kinds = name, spec, source, kinds
        self.place = place or f"real.{name}"
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
        for place, record in enumerate(self._records(), 1):
            for made in self._made(record):
                self.read += 1
                if isinstance(made, Row):
                    yield made
                    continue
                self.skipped[made.reason] += 1
                self.first.setdefault(made.reason, record.where.removeprefix(f"{self.source.path.parent}/"))
            if place == self.spec.limit:
                break
        if self.read == sum(self.skipped.values()):
            raise SourceError(f"no row in {self.read} records: {self.reasons}", where=self.place)

    @property
    def reasons(self) -> str:
        """`3 one_turn (first: FILE:7)`, the commonest reason first."""
        counts = self.skipped.most_common()
        return ", ".join(f"{count} {reason} (first: {self.first[reason]})" for reason, count in counts) or "none"

    def skip(self, reason: str, where: str) -> None:
        """Count a row that was yielded as one that was not: whoever reads has a reason against it."""
        self.skipped[reason] += 1
        self.first.setdefault(reason, where)

    def _records(self) -> Iterator[Record]:
        records = self._read()
        return records if self.spec.each is None else unrolled(records, self.spec.each)

    def _read(self) -> Iterator[Record]:
        path = self.source.path
        is_hub = path.parent.name == "snapshots" and path.name == self.source.revision
        if self.spec.has_rows:
            return (Record(f"{path}, row {number}", row) for number, row in enumerate(read_rows(path), 1))
        if is_hub:
            if self.spec.items is not None:
                raise SourceError("`items` is for JSON and YAML files", where=self.place, hint="drop `items`")
            return read_hub(path, self.spec.config, self.spec.split)
        if self.spec.config is not None:
            raise SourceError("`config` is for data sets of the hub", where=self.place, hint="drop `config`")
        return (read_files if self.spec.text is None else read_texts)(path, self.spec.items)

    def _made(self, record: Record) -> Iterator[Row | SkippedError]:
        """The rows of a record, or why there are none."""
        if self.spec.text is not None:
            yield from self._texts(record, self.spec.text)
            return
        try:
            yield self._row(record)
        except SkippedError as skip:
            yield skip

    def _texts(self, record: Record, template: str) -> Iterator[Row | SkippedError]:
        """A text as one row, or each of its passages; all have the root of the whole, so that they stay together."""
        whole = clean(Column(template).render(record))
        title = clean(Column(self.spec.title).render(record)) if self.spec.title else ""
        if not whole.strip():
            yield SkippedError("empty_text")
            return
        root = root_of([Message(role="assistant", content=whole)])
        parts = passages(whole, self.spec.passage_words) if self.spec.passage_words else [whole]
        for part in parts:
            if size(part) < (self.spec.min_words or MIN_WORDS):
                yield SkippedError("too_short")
                continue
            message = Message(role="assistant", content=part)
            evidence = {"title": title} if title else {}
            yield Row(kind="text", messages=(message,), evidence=evidence, provenance=self._provenance(root))

    def _row(self, record: Record) -> Row:
        if isinstance(record.value, Row):
            if record.value.kind not in self.kinds:
                raise SkippedError(f"kind_{record.value.kind}")
            return record.value
        if self.spec.turns is not None:
            messages = alternate(record)
        elif self.spec.messages is not None:
            messages = conversation(record, self.spec.messages)
        else:
            messages = columns(record, self.spec.system, self.spec.prompt, self.spec.answer)
        whole = self._answered(messages)
        kind: Literal["chat", "prompt"] = "chat" if whole[-1].role == "assistant" else "prompt"
        scores = {} if self.spec.score is None else {PEOPLE: number(Column(self.spec.score).render(record))}
        evidence = {name: clean(Column(template).text(record)) for name, template in self.spec.evidence.items()}
        return Row(
            kind=kind,
            messages=tuple(whole),
            evidence={name: text for name, text in evidence.items() if text},
            provenance=self._provenance(root_of(whole)),
            scores=scores,
        )

    def _provenance(self, root: str) -> Provenance:
        terms = self.spec.terms or self.source.terms
        return Provenance(source="real", origin=self.source.origin, method="real", root=root, terms=terms)

    def _answered(self, messages: list[Message]) -> list[Message]:
        """Up to the last answer; all of it where nobody answers and the user is the last to speak."""
        spoken = [message.role for message in messages if message.role != "system"]
        if spoken[:1] != ["user"]:
            raise SkippedError("no_user_first")
        if "assistant" not in spoken:
            if messages[-1].role != "user":
                raise SkippedError("no_user_last")
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


def _names(names: Sequence[str], word: str = "and") -> str:
    quoted = [f"`{name}`" for name in names]
    return f" {word} ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
