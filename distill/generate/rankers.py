"""answers to one prompt -> a score for each: by a model that judges, or by how likely a model finds them.

A model that judges is asked so that the place of an answer cannot matter: for each answer alone, or for each pair in both
orders. A judgement that cannot be read is missing; it is never a score. This module knows nothing of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, Literal

from pydantic import BaseModel, Field

from distill.generate.author import Author, Unusable, user
from distill.generate.method import Score, Scored, Work
from distill.generate.structured import structured
from distill.generate.together import together
from distill.rows import Frozen, Message

Scores = Generator[Any, Any, list[float | None]]
"""Asks, and comes to one score for each answer; None where there is none."""
Prompt = Callable[..., str]
VERDICT_TOKENS = 160


class Judge(Frozen):
    """A model reads the answers and says how good they are."""

    judge: str
    """Name of the model: `teacher`, or one under `teachers`. It is asked at temperature 0."""
    compare: Literal["alone", "pairs"] = "alone"
    """`alone`: a score from 1 to 10 for each answer. `pairs`: each two side by side, in both orders; the score is the
    share of comparisons won, where one that changes with the order counts half."""

    @property
    def model(self) -> str:
        return self.judge

    def scores(self, prompt: Sequence[Message], answers: Sequence[str], work: Work, say: Prompt) -> Scores:
        author = work.cast[self.judge]
        author = replace(author, sampling=author.sampling.model_copy(update={"temperature": 0.0}))
        return (_alone if self.compare == "alone" else _pairs)(author, prompt, answers, say)


class Likelihood(Frozen):
    """A model's own probability of the answers decides."""

    logprob: str
    """Name of a model that gives token probabilities (engine `transformers`): `teacher`, or one under `teachers`.
    The score is the mean log-probability of a token."""

    @property
    def model(self) -> str:
        return self.logprob

    def scores(self, prompt: Sequence[Message], answers: Sequence[str], work: Work, say: Prompt) -> Scores:  # noqa: ARG002
        asked = [Score(self.logprob, (*prompt, Message(role="assistant", content=answer))) for answer in answers]
        scored: list[Scored] = yield tuple(asked)
        return [None if one.error is not None else one.logprob for one in scored]


class Mark(BaseModel):
    why: str = ""
    score: int = Field(ge=1, le=10)


class Preference(BaseModel):
    why: str = ""
    better: Literal["A", "B", "tie"]


def _alone(author: Author, prompt: Sequence[Message], answers: Sequence[str], say: Prompt) -> Scores:
    asked = [say("alone", answer=answer, **_told(prompt)) for answer in answers]
    forms = yield from together([structured(author, [user(text)], Mark, say, 0, VERDICT_TOKENS) for text in asked])
    return [None if isinstance(form, Unusable) else float(form[0].score) for form in forms]


def _pairs(author: Author, prompt: Sequence[Message], answers: Sequence[str], say: Prompt) -> Scores:
    pairs = [pair for one, other in combinations(range(len(answers)), 2) for pair in ((one, other), (other, one))]
    asked = [say("pair", first=answers[one], second=answers[other], **_told(prompt)) for one, other in pairs]
    forms = yield from together(
        [structured(author, [user(text)], Preference, say, 0, VERDICT_TOKENS) for text in asked]
    )
    won: dict[int, list[float]] = {place: [] for place in range(len(answers))}
    for (one, other), here, there in zip(pairs[::2], forms[::2], forms[1::2], strict=True):
        if not (isinstance(here, Unusable) or isinstance(there, Unusable)):
            share = (_first(here[0]) + 1 - _first(there[0])) / 2
            # Won in one order and lost in the other: the judge looked at the place.
            share = share if share in (0.0, 1.0) else 0.5
            won[one].append(share)
            won[other].append(1 - share)
    return [sum(shares) / len(shares) if shares else None for shares in won.values()]


def _first(preference: Preference) -> float:
    """What the answer that was shown first has won."""
    return {"A": 1.0, "tie": 0.5, "B": 0.0}[preference.better]


def _told(prompt: Sequence[Message]) -> dict[str, str]:
    """The last question, and what was said before it."""
    before = "\n".join(f"{message.role}: {message.content}" for message in prompt[:-1])
    return {"before": before, "question": prompt[-1].content}
