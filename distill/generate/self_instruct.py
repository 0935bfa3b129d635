"""self_instruct: the teacher writes a new instruction from a few seeds, then answers it in a fresh conversation.

The seeds are shown as the teacher's own earlier turns, so that the next turn is one more of them. A 135M model follows
that far more often than a list of examples in one message (docs/decisions/seeds-as-turns.md has the counts).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from distill.generate.author import Unusable, opened, user
from distill.generate.draws import distinct, several
from distill.generate.instructions import COPY, opening, written
from distill.generate.known import Known
from distill.generate.method import Candidate, MethodSpec, Work
from distill.protocols import Completion
from distill.rows import Message, Row
from distill.words import words

MAX_WORDS = 120
"""Most words of an instruction, a seed's too."""


class SelfInstruct(MethodSpec):
    kind: Literal["self_instruct"] = "self_instruct"
    seeds: str
    """Name under `real` whose training prompts are shown as examples."""
    shown: int = Field(3, ge=1, le=20)
    """Seeds shown in one request."""
    system: str | None = None
    """System message put before a new instruction when it is answered."""
    instruction_tokens: int = Field(96, gt=0)
    """Most tokens of a new instruction; one that is longer is cut and counted as a failure."""

    alike: float = Field(COPY, gt=0, le=1)
    """Jaccard of the words of two instructions from which they are one: with a seed, or with one written before."""

    FILES: ClassVar = ("instruction",)

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.seeds,)

    def candidates(self, work: Work) -> Iterator[Candidate]:
        """Without end: the seeds of each are drawn from (seed, index) alone. None where there is no seed to show."""
        rows = distinct(work.rows[self.seeds])
        pool = [row for row in rows if len(words(opening(row))) <= MAX_WORDS]
        known = Known(map(opening, rows), self.alike)
        index = 0
        while pool:
            yield self.candidate(several(pool, self.shown, work.author.seed, "seeds", index), known, work, index)
            index += 1

    def candidate(self, seeds: Sequence[Row], known: Known, work: Work, index: int) -> Candidate:
        """One instruction and its answer. The index is the sample: the same seeds drawn twice are asked twice.

        Args:
            known: every seed, and the instructions of the candidates before this one.
        """
        author = work.author
        request = author.ask(self.conversation(seeds), index, self.instruction_tokens)
        completion: Completion = yield request
        instruction = written(completion, MAX_WORDS)
        check(instruction, known)
        known.add(instruction)
        question = author.ask(opened(self.system, [user(instruction)]))
        completion = yield question
        return author.row(question, completion, work.stream, seeds)

    def conversation(self, seeds: Sequence[Row]) -> list[Message]:
        return one_more(seeds, lambda written: self.prompt("instruction", written=written))


def one_more(seeds: Sequence[Row], asks: Callable[[int], str]) -> list[Message]:
    """The seeds as the teacher's turns of a conversation that has just asked for one more.

    Args:
        asks: what the user says when so many are written.
    """
    messages = []
    for count, row in enumerate(seeds):
        messages += [user(asks(count)), Message(role="assistant", content=opening(row))]
    return [*messages, user(asks(len(seeds)))]


def check(instruction: str, known: Known) -> None:
    """Refuse what is not a new instruction.

    Raises:
        Unusable: `copies_seed`, or `written_before` where it is like one of this method.
    """
    if (found := known.like(instruction)) is not None:
        like, given = found
        raise Unusable("copies_seed" if given else "written_before", f"{instruction} | like: {like}")
