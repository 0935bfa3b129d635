"""grid: cases asked for by their attributes, each cell of the grid with a quota of its own, so that rare ones are there.

    axes: {domain: [law, medicine], condition: [usual, emergency], language: [English, Spanish]}

Every cell is a stream: it is asked on until its own quota is met, and the books, by cell, are the coverage. The teacher
writes a question for the cell and answers it in a fresh conversation. A seed from real data may show what is meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from distill.generate.author import Unusable, opened, user
from distill.generate.draws import distinct, one
from distill.generate.instructions import COPY, opening, overlap, parse, written
from distill.generate.method import Candidate, MethodSpec, Work
from distill.protocols import Completion
from distill.refusals import phrase
from distill.rows import Frozen, Row

Axis = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Value = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\[\],=\n]+$")]
Cell = dict[str, str]
"""A value for every axis."""
LOOKED_BACK = 200
"""Earlier questions of a cell that a new one is held against; the filters find the rest."""
LONGEST = 200
"""Most words of a question."""


class Weight(Frozen):
    """How much of the rows the cells have that fit; the last that fits a cell counts."""

    where: dict[Axis, Value] = Field(min_length=1)
    weight: float = Field(ge=0)
    """1 is an ordinary cell's, 0 is none: a combination that cannot be."""


class Grid(MethodSpec):
    kind: Literal["grid"] = "grid"
    axes: dict[Axis, tuple[Value, ...]] = Field(min_length=1)
    """Attributes, each with its values; a cell is one value of each."""
    weights: tuple[Weight, ...] = ()
    """Cells that have more or less than others, or nothing."""
    seeds: str | None = None
    """Name under `real` whose training prompts are shown as examples of a person's words, one at a time."""
    policy: str | None = None
    """System message for the answers: what holds in sensitive cases."""
    refusals: bool = False
    """A refusal is an answer: for cells where it is the right one."""
    question_tokens: int = Field(160, gt=0)
    """Most tokens of a question; one that is longer is cut and counted as a failure."""

    FILES: ClassVar = ("question",)

    @model_validator(mode="after")
    def _possible(self) -> Grid:
        for axis, values in self.axes.items():
            if len(set(values)) < len(values):
                raise ValueError(f"a value of {axis} stands twice: {', '.join(values)}")
        for weight in self.weights:
            for axis, value in weight.where.items():
                if value not in self.axes.get(axis, ()):
                    there = ", ".join(self.axes.get(axis, ())) or f"no such axis; there are {', '.join(self.axes)}"
                    raise ValueError(f"weights: there is no {axis} {value!r} ({there})")
        if not any(self.weight(cell) for cell in self.cells.values()):
            raise ValueError("the weights leave no cell")
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.seeds,) if self.seeds else ()

    @property
    def cells(self) -> dict[str, Cell]:
        """Every combination, by the name of its stream: `grid[domain=law, language=Spanish]`."""
        cells = (dict(zip(self.axes, values, strict=True)) for values in product(*self.axes.values()))
        return {self.stream(cell): cell for cell in cells}

    def stream(self, cell: Mapping[str, str]) -> str:
        return f"{self.name}[{', '.join(f'{axis}={value}' for axis, value in cell.items())}]"

    def weight(self, cell: Mapping[str, str]) -> float:
        fitting = [one.weight for one in self.weights if one.where.items() <= cell.items()]
        return fitting[-1] if fitting else 1.0

    def streams(self) -> dict[str, float]:
        """Each cell with its part of the rows."""
        weights = {name: weight for name, cell in self.cells.items() if (weight := self.weight(cell))}
        total = sum(weights.values())
        return {name: self.share * weight / total for name, weight in weights.items()}

    def candidates(self, work: Work) -> Iterator[Candidate]:
        """Without end: the cell is the stream's, the example of each is drawn from (seed, cell, index)."""
        cell = self.cells[work.stream]
        pool = distinct(work.rows[self.seeds]) if self.seeds else []
        asked: list[str] = []
        index = 0
        while pool or not self.seeds:
            example = one(pool, work.author.seed, work.stream, index) if pool else None
            yield self.candidate(cell, example, work, index, asked)
            index += 1

    def candidate(self, cell: Cell, example: Row | None, work: Work, index: int, asked: list[str]) -> Candidate:
        """A question that fits the cell, and its answer.

        Args:
            asked: questions of this cell so far: one that is like them is refused.
        """
        author, parents = work.author, [example] if example else []
        shown = opening(example) if example else ""
        told = self.prompt("question", cell=cell, example=shown, index=index)
        completion: Completion = yield author.ask([user(told)], index, self.question_tokens)
        question = written(completion, LONGEST, parse, "question")
        self.check(question, told, shown, asked)
        asked.append(question)
        request = author.ask(opened(self.policy, [user(question)]))
        completion = yield request
        if not self.refusals and phrase(completion.text, question):
            raise Unusable("refused", f"{question} -> {completion.text[:200]}")
        return author.row(request, completion, work.stream, parents, cell=cell)

    def check(self, question: str, told: str, shown: str, asked: list[str]) -> None:
        """Refuse what is no new question of a person.

        Raises:
            Unusable: `recites_the_order`, `copies_example` or `asked_before`.
        """
        if overlap(question, told) >= COPY or question in told:
            raise Unusable("recites_the_order", question)
        if shown and overlap(question, shown) >= COPY:
            raise Unusable("copies_example", f"{question} | example: {shown}")
        like = next((other for other in asked[-LOOKED_BACK:] if overlap(question, other) >= COPY), None)
        if like is not None:
            raise Unusable("asked_before", f"{question} | before: {like}")
