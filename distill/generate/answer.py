"""answer: the teacher answers the prompts of a data set, each with the turns that led to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from distill.generate.method import Author, Candidate
from distill.rows import Frozen, Message, Row, digest


class Answer(Frozen):
    kind: Literal["answer"] = "answer"
    prompts: str
    """Name under `real` whose training prompts are asked."""
    share: float = Field(1.0, gt=0, le=1)
    """Part of `generate.rows` that this method provides."""
    system: str | None = None
    """System message put before each prompt that has none."""
    samples: int = Field(1, ge=1)
    """Answers asked per prompt at most; the second is asked only when every prompt was asked once."""

    @property
    def data(self) -> str:
        return self.prompts

    @property
    def template(self) -> str:
        return ""

    def candidates(self, rows: Sequence[Row], author: Author) -> Iterator[Candidate]:
        """Every distinct prompt once, in the order of its hash with the seed; then every prompt a second time, …"""
        prompts: dict[str, Row] = {}
        for row in rows:
            prompts.setdefault(digest([author.seed, [message.model_dump() for message in row.prompt]]), row)
        for sample in range(self.samples):
            for key in sorted(prompts):
                yield answer(prompts[key], author, self.system, sample)


def answer(parent: Row, author: Author, system: str | None, sample: int = 0) -> Candidate:
    """One answer to the prompt of a row."""
    messages = parent.prompt
    if system is not None and messages[0].role != "system":
        messages = (Message(role="system", content=system), *messages)
    request = author.ask(messages, sample)
    completion = yield request
    return author.row(request, completion, "answer", [parent])
