"""answer: the teacher answers the prompts of a data set, each with the turns that led to it; of several the best is kept."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from distill.generate.author import Author, Unusable, opened
from distill.generate.draws import prompts
from distill.generate.method import Candidate, MethodSpec, Score, Scored, Work
from distill.protocols import Completion, Request
from distill.rows import Frozen, Message, Row


class BestOf(Frozen):
    """Several answers are asked, and the one that a model finds likeliest is kept."""

    answers: int = Field(ge=2, le=64)
    by: str
    """Name of a model that gives token probabilities (engine `transformers`): `teacher`, or one under `teachers`."""


class Answer(MethodSpec):
    kind: Literal["answer"] = "answer"
    prompts: str
    """Name under `real` whose training prompts are asked."""
    system: str | None = None
    """System message put before each prompt that has none."""
    samples: int = Field(1, ge=1)
    """Answers asked per prompt at most; the second is asked only when every prompt was asked once."""
    best_of: BestOf | None = None
    """One answer is asked when not given."""

    SCORES: ClassVar = ("best_of_logprob",)

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.prompts,)

    @property
    def asks(self) -> tuple[str, ...]:
        return self.scored_by

    @property
    def scored_by(self) -> tuple[str, ...]:
        return (self.best_of.by,) if self.best_of else ()

    @property
    def several(self) -> int:
        return max(self.samples, self.best_of.answers if self.best_of else 1)

    def candidates(self, work: Work) -> Iterator[Candidate]:
        """Every distinct prompt once, in the order of its hash with the seed; then every prompt a second time, …"""
        rows = prompts(work.rows[self.prompts], work.author.seed)
        for sample in range(self.samples):
            for row in rows:
                if self.best_of is None:
                    yield answer(row, work.author, self.system, sample, work.stream)
                else:
                    yield self.best(row, work, sample, self.best_of)

    def best(self, parent: Row, work: Work, sample: int, best_of: BestOf) -> Candidate:
        """The likeliest of several answers to the prompt of a row."""
        messages, count = opened(self.system, parent.prompt), best_of.answers
        requests = tuple(work.author.ask(messages, sample * count + number) for number in range(count))
        completions: list[Completion] = yield requests
        place, logprob = yield from likeliest(messages, completions, best_of.by)
        return work.author.row(
            requests[place],
            completions[place],
            work.stream,
            [parent],
            scores={"best_of_logprob": round(logprob, 6)},
            helped=[work.cast[best_of.by]],
            best_of=count,
        )


def answer(
    parent: Row, author: Author, system: str | None, sample: int = 0, stream: str = "answer"
) -> Generator[Request, Completion, Row]:
    """One answer to the prompt of a row."""
    request = author.ask(opened(system, parent.prompt), sample)
    completion = yield request
    return author.row(request, completion, stream, [parent])


def likeliest(
    messages: Sequence[Message], completions: Sequence[Completion], by: str
) -> Generator[Any, Any, tuple[int, float]]:
    """Place of the finished answer that a model finds likeliest, and its mean log-probability; of equals the first.

    Raises:
        Unusable: no answer came to an end, or none could be scored.
    """
    ended = [place for place, one in enumerate(completions) if one.finish == "stop" and one.text.strip()]
    if not ended:
        first = completions[0]
        raise Unusable("no_answer_ended", first.error or first.text[-200:])
    asked = tuple(Score(by, (*messages, Message(role="assistant", content=completions[place].text))) for place in ended)
    scored: list[Scored] = yield asked
    usable = {place: one.logprob for place, one in zip(ended, scored, strict=True) if one.error is None}
    if not usable:
        raise Unusable("not_scored", scored[0].error or "")
    best = max(usable, key=lambda place: (usable[place], -place))
    return best, usable[best]
