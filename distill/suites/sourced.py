"""A suite with data of its own: records -> rows -> items, which are asked alike in every arm.

    source        what its items are read from, described as data under `real` are
    items         how many of them, the first by the hash of their question
    shots         so many examples before each, as earlier turns
    instruction   the words around a question

A kind that is built on this says in `prepared` what its rows must have, and is worth in `judge` or `choose` what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Self

from pydantic import Field, field_validator, model_validator

from distill import templates
from distill.context import Resolved
from distill.errors import SourceError
from distill.rows import Row
from distill.sources.real import TAKEN, Reading, Real
from distill.suites import items
from distill.suites.items import GROUP
from distill.suites.suite import Suite

DATA = ("source", "examples")
"""Fields that say where data come from."""


class Sourced(Suite):
    source: Real
    """Data of the items: a question (`prompt`), with the answer that is right (`answer`) where there is one."""
    items: int | None = Field(None, gt=0)
    """The first so many by the hash of their question, the same on every machine; all when not given."""
    shots: int = Field(0, ge=0)
    """Examples that every item is asked after, as earlier turns of the conversation."""
    examples: Real | None = None
    """Data of the examples. When not given the first items by hash are put aside as examples, and not asked."""
    instruction: str | None = None
    """Jinja text around the question (`{{ question }}`, and what the source calls its evidence), in the examples too. A
    text that does not name the question stands before it."""
    group: str | None = None
    """Template of what items share that are not independent of each other: a passage, a document."""

    @field_validator("instruction")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        if text is not None and (wrong := templates.fault(text)):
            raise ValueError(wrong)
        return text

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.source.text is not None or (self.examples and self.examples.text is not None):
            raise ValueError("a suite asks questions, and `text` says that there are none: give `prompt`")
        if self.examples and not self.shots:
            raise ValueError("`examples` are not shown without `shots`")
        if self.group and self.source.has_rows:
            raise ValueError(f"{self.source.data!r} holds rows, which have roots already, so `group` cannot be given")
        return self

    @property
    def references(self) -> tuple[str, ...]:
        return tuple(real.data for real in (self.source, self.examples) if real)

    @property
    def bare(self) -> Self:
        free = {name: real.model_copy(update={"terms": ()}) for name in DATA if (real := getattr(self, name))}
        return self.model_copy(update=free)

    @property
    def around(self) -> str | None:
        """The instruction, or what this kind says where the recipe has none."""
        return self.instruction

    @property
    def columns(self) -> Mapping[str, str]:
        """Templates of what this kind needs of a record besides question and answer, by their names as evidence."""
        return {}

    def prepared(self, rows: Sequence[Row]) -> list[Row]:
        """The rows as this kind asks them: with the answer that is right, options in sight, checks read.

        Raises:
            SourceError: a row that this kind cannot ask; says which.
        """
        return list(rows)

    def load(self, resolved: Mapping[str, Resolved]) -> Loading:
        return Loading(self, resolved)

    @property
    def place(self) -> str:
        """Where the recipe has it."""
        return f"evaluate.suites: {self.label}"


class Loading:
    """The items of a suite, in the order of its data; then what was counted on the way."""

    def __init__(self, suite: Sourced, resolved: Mapping[str, Resolved]) -> None:
        self._suite, self._resolved = suite, resolved
        self._readings: list[Reading] = []

    def __iter__(self) -> Iterator[Row]:
        self._readings.clear()
        suite = self._suite
        rows = self._rows(suite.source)
        examples, rows = self._examples(rows)
        around = items.Around(suite.around, suite.place)
        turns = [turn for example in examples for turn in around.example(example)]
        for row in items.first(rows, suite.items):
            yield around.item(row, turns, row.evidence.get(GROUP))

    def notes(self) -> list[str]:
        """Records that made no item, with the reason."""
        return [
            f"{skipped} of {reading.read} records of {reading.spec.data} make no item: {reading.reasons}"
            for reading in self._readings
            if (skipped := sum(reading.skipped.values()))
        ]

    def _examples(self, rows: list[Row]) -> tuple[list[Row], list[Row]]:
        """What is shown before every item, and what is asked: never one and the same."""
        suite = self._suite
        if not suite.shots:
            return [], rows
        if suite.examples:
            asked = {root for row in rows for root in row.roots}
            free = [row for row in self._rows(suite.examples) if not asked & row.roots]
        else:
            free = rows
        examples = items.distinct(free, suite.shots)
        if len(examples) < suite.shots:
            raise SourceError(
                f"{suite.shots} shots, but only {len(examples)} examples that are not asked themselves",
                where=suite.place,
                hint="lower `shots`, or name more data under `examples`",
            )
        if bare := next((row for row in examples if not row.answer), None):
            raise SourceError(f"an example without an answer: {bare.question[:80]!r}", where=suite.place)
        shown = {root for row in examples for root in row.roots} | {row.evidence.get(GROUP) for row in examples} - {
            None
        }
        return examples, [row for row in rows if not shown & {*row.roots, row.evidence.get(GROUP)}]

    def _rows(self, real: Real) -> list[Row]:
        suite = self._suite
        more = {**suite.columns, **({GROUP: suite.group} if suite.group else {})}
        if more and not real.has_rows:
            real = real.model_copy(update={"evidence": {**real.evidence, **more}})
        reading = Reading(suite.label, real, self._resolved[real.data], suite.place, (*TAKEN, "benchmark"))
        self._readings.append(reading)
        return suite.prepared([row for row in reading if row.kind != "text"])
