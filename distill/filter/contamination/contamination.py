"""Training rows against everything evaluated on: what a student will be asked must not be what it was taught.

    the recipe's suites, and benchmarks by reference -> evaluated rows
    row -> the same text? -> most of its n-grams? -> the same in other words? -> near it as a vector?

Cheap looks come first; each sees what the ones before it kept. Every turn is looked at by itself: of a preference the
rejected answer too, of an evaluated row what its check needs (a passage, a reference answer).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal, Protocol, Self

from pydantic import Field, model_validator

from distill.filter.bindings import Bindings, FilterSpec, Scope
from distill.filter.contamination.neighbours import Neighbours
from distill.filter.contamination.reworded import Reworded
from distill.filter.contamination.said import Texts, of_row
from distill.filter.contamination.seen import Evaluated, Parts, Whole
from distill.protocols import KEEP, Verdict
from distill.rows import Row
from distill.sources.real import Reading, Real

PART = 128
"""Rows that are looked at together: the words of more do not stay in a processor's cache."""


class Contamination(FilterSpec):
    """Drops a row, real ones too, that holds a question, an answer or most of a longer text that is evaluated on."""

    kind: Literal["contamination"] = "contamination"
    judges_real: ClassVar[bool] = True
    benchmarks: Mapping[str, Real] = {}
    """Test sets besides the recipe's own suites, by a name for the evidence; described as data under `real` are."""
    min_answer_words: int = Field(8, ge=1)
    """Least words of an answer, or of a later turn of a conversation, that is looked for: "yes" gives nothing away."""
    ngram: int = Field(13, ge=2)
    """Words of the n-grams of evaluated texts that have at least twice as many."""
    short_ngram: int = Field(8, ge=2)
    """Words of the n-grams of shorter ones. Questions of fewer words, four or more, are looked for as sentences."""
    overlap: float = Field(0.7, gt=0, le=1)
    """Share of an evaluated text's n-grams in one turn that drops the row. A low one mostly finds templates."""
    reworded: bool = True
    """Look for evaluated questions in other words: by rare words in common, and by the same numbers."""
    embedder: str | None = None
    """Reference of a sentence-transformers model that looks for neighbours of evaluated questions."""
    similarity: float = Field(0.85, gt=0, le=1)
    """Least cosine of two questions without numbers; less where they have all their numbers in common."""

    @model_validator(mode="after")
    def _shorter_is_shorter(self) -> Self:
        if self.short_ngram > self.ngram:
            raise ValueError(f"short_ngram is {self.short_ngram}, above ngram, which is {self.ngram}")
        return self

    @property
    def COSTLY(self) -> bool:  # type: ignore[override]  # noqa: N802
        """Only an embedder costs much."""
        return self.embedder is not None

    @property
    def models(self) -> tuple[str, ...]:
        return () if self.embedder is None else (self.embedder,)

    @property
    def data(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(real.data for real in self.benchmarks.values()))

    def bind(self, bindings: Bindings) -> FindEvaluated:
        return FindEvaluated(self, bindings)


class Looking(Protocol):
    """One way to find evaluated texts in others."""

    def judge(self, rows: Sequence[Texts]) -> list[Verdict]: ...


class FindEvaluated:
    """The contamination filter with the evaluated rows in its index. It remembers nothing of the rows it judges."""

    scope: Scope = "row"

    def __init__(self, spec: Contamination, bindings: Bindings) -> None:
        self.kind = spec.kind
        evaluated = list(_evaluated(spec, bindings))
        self._ways: list[Looking] = [
            Whole(evaluated, spec.min_answer_words),
            Parts(evaluated, spec.ngram, spec.short_ngram, spec.overlap),
        ]
        if spec.reworded:
            self._ways.append(Reworded(evaluated))
        if spec.embedder is not None:
            self._ways.append(Neighbours(evaluated, bindings.open.embedder(spec.embedder), spec.similarity))

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """Evidence is the evaluated row and what the two share; score the share, or the cosine."""
        parts = (rows[start : start + PART] for start in range(0, len(rows), PART))
        return [verdict for part in parts for verdict in self._judge(part)]

    def _judge(self, rows: Sequence[Row]) -> list[Verdict]:
        texts = [of_row(row) for row in rows]
        verdicts = [KEEP] * len(rows)
        left = list(range(len(rows)))
        for way in self._ways:
            for place, verdict in zip(left, way.judge([texts[place] for place in left]), strict=True):
                verdicts[place] = verdict
            left = [place for place in left if verdicts[place].keep]
        return verdicts


def _evaluated(spec: Contamination, bindings: Bindings) -> Iterator[Evaluated]:
    """Rows of the suites by their ids; items of benchmarks by the benchmark's name and the id of its row."""
    for row in bindings.evaluated:
        yield Evaluated(row.id, of_row(row, evidence=True))
    for name, real in spec.benchmarks.items():
        reading = bindings.open.rows(name, real)
        for row in reading:
            yield Evaluated(f"{name} {row.id}", of_row(row, evidence=True))
        if isinstance(reading, Reading) and reading.skipped:
            bindings.open.context.say(f"contamination: records of benchmark {name} not looked for: {reading.reasons}")
