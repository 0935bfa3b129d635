"""math: several worked answers to a question, of which one that is right is kept.

Right is what comes to the reference of the data, or where there is none what most answers come to. What survives is what
the teacher can do: hard questions vanish. So each row tells the share of right answers to its question, and the questions
without any are failures with what was said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from distill.errors import SourceError
from distill.evidence import REFERENCE
from distill.generate.author import Unusable, opened, user
from distill.generate.draws import prompts
from distill.generate.method import Candidate, Check, MethodSpec, Work
from distill.mathematics.final import final
from distill.mathematics.marks import Mark, against, alike
from distill.protocols import Completion
from distill.rows import Message, Row


class Math(MethodSpec):
    kind: Literal["math"] = "math"
    questions: str
    """Name under `real` whose training prompts are asked."""
    answers: int = Field(4, ge=1, le=64)
    """Answers asked to one question."""
    check: Literal["reference", "majority"] = "reference"
    """What decides: the real row's own answer, or what most answers come to."""
    agree: float = Field(0.5, gt=0, le=1)
    """Least share of a question's answers that must come to the same, where the majority decides."""
    keep: int = Field(1, ge=1)
    """Rows made of one question at most, from its first right answers; the second only when every question was asked."""
    system: str | None = None
    """System message put before each question that has none."""

    FILES: ClassVar = ("question",)
    SCORES: ClassVar = ("pass_rate", "agreement")

    @model_validator(mode="after")
    def _enough(self) -> Math:
        if self.check == "majority" and self.answers < 2:
            raise ValueError("one answer is no majority: set `answers` to 2 or more")
        if self.keep > self.answers:
            raise ValueError(f"keep {self.keep} is more than answers {self.answers}")
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.questions,)

    @property
    def several(self) -> int:
        return self.answers

    def candidates(self, work: Work) -> Iterator[Candidate]:
        """Every distinct question once, then every question for its second right answer, …

        Raises:
            SourceError: the reference decides, and no question has one.
        """
        rows = prompts(work.rows[self.questions], work.author.seed)
        if self.check == "reference" and rows and all(reference(row) is None for row in rows):
            raise SourceError(
                f"no row of {self.questions!r} has an answer to check against",
                where=f"generate.methods ({self.name})",
                hint="give the data's `answer`, or set `check: majority`",
            )
        for place in range(self.keep):
            for row in rows:
                yield self.candidate(row, work, place)

    def candidate(self, parent: Row, work: Work, place: int) -> Candidate:
        """The right answer number `place` to a question. Other places ask the same, which is paid for once."""
        known = reference(parent) if self.check == "reference" else None
        if self.check == "reference" and known is None:
            raise Unusable("no_reference", parent.answer)
        shown = opened(self.system, parent.prompt)
        asked = [*shown[:-1], user(self.prompt("question", question=shown[-1].content))]
        requests = tuple(work.author.ask(asked, sample) for sample in range(self.answers))
        completions: list[Completion] = yield requests
        answered = [pair for pair in zip(requests, completions, strict=True) if pair[1].finish != "error"]
        if not answered:
            raise Unusable("engine_error", completions[0].error or "")
        # What was cut off has not come to its end, whatever it says.
        texts = [completion.text if completion.finish == "stop" else "" for _, completion in answered]
        marks: list[Mark] = yield Check(partial(alike, texts) if known is None else partial(against, known, texts))
        right = self.right(marks, known)
        different = list(dict.fromkeys(texts[number] for number in right))
        if len(different) <= place:
            raise Unusable("no_other_right_answer", f"{len(right)} right, {len(different)} different")
        number = texts.index(different[place])
        request, completion = answered[number]
        share = round(len(right) / len(marks), 6)
        return work.author.row(
            request,
            completion,
            work.stream,
            [parent],
            messages=(*shown, Message(role="assistant", content=completion.text, reasoning=completion.reasoning)),
            evidence={REFERENCE if known else "majority": known or str(marks[number].answer)},
            scores={"pass_rate" if known else "agreement": share},
            answers=self.answers,
        )

    def right(self, marks: Sequence[Mark], known: str | None) -> list[int]:
        """Places of the right answers.

        Raises:
            Unusable: `no_final_answer`, `no_right_answer` or `no_majority`.
        """
        said = ", ".join(map(str, marks))
        if all(mark.answer is None for mark in marks):
            raise Unusable("no_final_answer", said)
        votes = Counter(mark.group for mark in marks if mark.group is not None).most_common(2)
        if known is not None:
            group = 0
            if all(mark.group != group for mark in marks):
                raise Unusable("no_right_answer", f"{known} is right, said was {said}")
        else:
            tied = len(votes) == 2 and votes[0][1] == votes[1][1]
            if not votes or tied or votes[0][1] < self.agree * len(marks):
                raise Unusable("no_majority", said)
            group = votes[0][0]
        return [place for place, mark in enumerate(marks) if mark.group == group]


def reference(row: Row) -> str | None:
    """The answer of a real row that is known to be right, as an expression."""
    return row.evidence.get(REFERENCE) or final(row.answer)
