"""several worked solutions -> what each comes to, and which of them come to the same. Knows nothing of who wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distill.mathematics.equal import UndecidedError, same
from distill.mathematics.final import final


@dataclass(frozen=True)
class Mark:
    """What a solution comes to."""

    answer: str | None = None
    """Its final answer, where it has one."""
    group: int | None = None
    """Solutions that come to the same have the same number; None where that cannot be told."""
    why: str = "no final answer"
    """Why there is no group."""

    def __str__(self) -> str:
        if self.answer is None:
            return f"({self.why})"
        return self.answer if self.group is not None else f"{self.answer} ({self.why})"


def against(reference: str, solutions: Sequence[str]) -> list[Mark]:
    """Each solution beside an answer that is known: group 0 has it right, group 1 has not."""
    return [_mark(solution, [reference], 1) for solution in solutions]


def alike(solutions: Sequence[str]) -> list[Mark]:
    """Each solution beside those before it; the first of a group speaks for it."""
    first: list[str] = []
    marks = []
    for solution in solutions:
        mark = _mark(solution, first, len(first))
        if mark.answer is not None and mark.group == len(first):
            first.append(mark.answer)
        marks.append(mark)
    return marks


def _mark(solution: str, answers: Sequence[str], other: int) -> Mark:
    """Its group is the place of the first answer it is the same as, or `other`."""
    answer = final(solution)
    if answer is None:
        return Mark()
    try:
        return Mark(answer, next((place for place, one in enumerate(answers) if same(one, answer)), other))
    except UndecidedError as undecided:
        return Mark(answer, None, str(undecided))
