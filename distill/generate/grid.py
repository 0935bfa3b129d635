"""grid: cases asked for by their attributes, each cell of the grid with a quota of its own, so that rare ones are there.

    axes: {domain: [law, medicine], condition: [usual, emergency], language: [English, Spanish]}

Every cell is a stream: it is asked on until its own quota is met, and the books, by cell, are the coverage. The teacher
writes a question for the cell and answers it in a fresh conversation. A seed from real data may show what is meant.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from distill.generate.author import Unusable, opened, said, user
from distill.generate.draws import distinct, one
from distill.generate.instructions import COPY, HELPS, asks, opening, overlap, parse, written
from distill.generate.method import Candidate, MethodSpec, Work
from distill.generate.verdicts import asked_whether
from distill.languages import spoken
from distill.protocols import Completion
from distill.refusals import phrase
from distill.rows import Frozen, Message, Row

Axis = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Value = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\[\],=\n]+$")]
Cell = dict[str, str]
"""A value for every axis."""
LOOKED_BACK = 200
"""Earlier questions of a cell that a new one is held against; the filters find the rest."""
LANGUAGE = "language"
"""The axis whose values are languages, against which questions and answers are held."""
FITS = "fits"
"""Name of the prompt file that asks whether a question fits its cell."""
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
    varies: dict[Axis, tuple[Value, ...]] = {}
    """Attributes without a quota, drawn for each question: they make the questions of a cell differ."""
    seeds: str | None = None
    """Name under `real` whose training prompts are shown as examples of a person's words, one at a time."""
    policy: str | None = None
    """System message for the answers: what holds in sensitive cases."""
    refusals: bool = False
    """A refusal is an answer: for cells where it is the right one."""
    judge: str | None = None
    """Name of a model (`teacher`, or one under `teachers`) that is asked whether a question fits its cell."""
    question_tokens: int = Field(160, gt=0)
    """Most tokens of a question; one that is longer is cut and counted as a failure."""

    FILES: ClassVar = ("question", FITS)

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
        if both := [axis for axis in self.varies if axis in self.axes or not self.varies[axis]]:
            raise ValueError(f"varies: {', '.join(both)} is an axis already, or has no value")
        if not any(self.weight(cell) for cell in self.cells.values()):
            raise ValueError("the weights leave no cell")
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.seeds,) if self.seeds else ()

    @property
    def asks(self) -> tuple[str, ...]:
        return (self.judge,) if self.judge else ()

    @cached_property
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
        cell = self.cells[work.part or work.stream]
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
        drawn = {axis: one(values, author.seed, work.stream, axis, index) for axis, values in self.varies.items()}
        shown = opening(example) if example else ""
        turns = self.turns("question", cell={**cell, **drawn}, example=shown)
        completion: Completion = yield author.ask(turns, index, self.question_tokens)
        question = written(completion, LONGEST, parse, "question")
        check(question, turns, shown, asked)
        in_language(question, cell, "question")
        yield from self.fits(question, {**cell, **drawn}, work)
        new(question, asked)  # once more: others of this round may have been found to fit meanwhile
        asked.append(question)
        request = author.ask(opened(self.policy, [user(question)]))
        completion = yield request
        refused = bool(phrase(said(completion, "answer"), question))
        if refused and not self.refusals:
            raise Unusable("refused", f"{question} -> {completion.text[:200]}")
        in_language(completion.text, cell, "answer")
        helped = [work.cast[name] for name in self.asks]
        return author.row(
            request, completion, work.stream, parents, helped=helped, cell=cell, drawn=drawn, refused=refused
        )

    def fits(self, question: str, cell: Cell, work: Work) -> Generator[Any, Any, None]:
        """Ask a model, where the recipe names one.

        Raises:
            Unusable: `outside_cell`, or `unclear_judgement`.
        """
        if self.judge is None:
            return
        if not (yield from asked_whether(work.cast[self.judge], self.prompt(FITS, cell=cell, question=question))):
            raise Unusable("outside_cell", question)


def check(question: str, turns: Sequence[Message], shown: str, asked: Sequence[str]) -> None:
    """Refuse what is no new question of a person.

    Args:
        turns: what the teacher was told.

    Raises:
        Unusable: `recites_the_order`, `speaks_as_assistant`, `asks_nothing`, `copies_example` or `asked_before`.
    """
    if any(overlap(question, turn.content) >= COPY or question in turn.content for turn in turns):
        raise Unusable("recites_the_order", question)
    if HELPS.search(question):
        raise Unusable("speaks_as_assistant", question)
    if not asks(question):
        raise Unusable("asks_nothing", question)
    if shown and overlap(question, shown) >= COPY:
        raise Unusable("copies_example", f"{question} | example: {shown}")
    new(question, asked)


def new(question: str, asked: Sequence[str]) -> None:
    """Refuse what was asked before.

    Raises:
        Unusable: `asked_before`.
    """
    like = next((other for other in asked[-LOOKED_BACK:] if overlap(question, other) >= COPY), None)
    if like is not None:
        raise Unusable("asked_before", f"{question} | before: {like}")


def in_language(text: str, cell: Mapping[str, str], what: str) -> None:
    """Refuse what is plainly in another language than the cell's, if it has an axis `language`.

    Raises:
        Unusable: `<what>_in_another_language`.
    """
    if LANGUAGE in cell and spoken(text, cell[LANGUAGE]) is False:
        raise Unusable(f"{what}_in_another_language", f"{text} (asked for {cell[LANGUAGE]})")
