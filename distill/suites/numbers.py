"""numbers: questions whose answer is worked out, and comes to a number or an expression that math-verify can compare.

    {kind: numbers, source: {data: gsm8k.jsonl, prompt: question, answer: answer}}

A reference may be a worked solution, such as GSM8K's, which ends in `#### 42`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from distill.errors import SourceError
from distill.evidence import REFERENCE
from distill.mathematics.final import final
from distill.mathematics.marks import Mark, against
from distill.rows import Message, Row
from distill.suites.sourced import Sourced
from distill.suites.suite import Answered, Answering, Judged, cut, mean

WORKED = '{{ question }}\n\nReason step by step. Write the final answer alone on the last line, after "####".'
SHOWN = 200
"""Characters of what was read that are shown."""


class Numbers(Sourced, Answering):
    """Final answers of worked solutions: right where they are mathematically the same as the reference's."""

    kind: Literal["numbers"] = "numbers"
    METRICS: ClassVar[tuple[str, ...]] = ("correct",)
    max_new_tokens: int = Field(512, gt=0)
    """Of an answer."""

    @property
    def around(self) -> str:
        return self.instruction if self.instruction is not None else WORKED

    def prepared(self, rows: Sequence[Row]) -> list[Row]:
        return [self._answered(row) for row in rows]

    def _answered(self, row: Row) -> Row:
        """The row with a worked solution or a bare result as the answer."""
        known = row.answer or row.evidence.get(REFERENCE, "")
        if not known or not _is_number(final(known)):
            raise SourceError(
                f"an item whose reference comes to no final answer: {row.question[:80]!r} -> {known[-80:]!r}",
                where=self.place,
                hint="source.answer must end in a number or an expression, or name it (`#### 42`, `\\boxed{42}`)",
            )
        if row.answer:
            return row
        messages = (*row.messages, Message(role="assistant", content=known))
        return row.model_copy(update={"kind": "chat", "messages": messages})

    def judge(self, asked: Sequence[Answered]) -> list[Judged]:
        return [self._judged(one) for one in asked]

    def _judged(self, one: Answered) -> Judged:
        reference = final(one.row.answer)
        assert reference is not None, one.row.id
        marks = against(reference, [cut(answer, self.until) for answer in one.answers])
        # What cannot be read or compared is not the answer that was asked for.
        right = [float(mark.group == 0) for mark in marks]
        return Judged({"correct": mean(right)}, found=_found(marks[0]))


def _found(mark: Mark) -> str | None:
    told = None if mark.answer is None else str(mark)
    return f"{told[:SHOWN]}…" if told and len(told) > SHOWN else told


def _is_number(text: str | None) -> bool:
    """Whether there is an answer, and it is not the word for none (`nan` of an empty cell)."""
    if text is None:
        return False
    try:
        return math.isfinite(float(text))
    except ValueError:
        return True  # an expression
