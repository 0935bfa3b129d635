"""A scorer and an engine with numbers that are known beforehand, behind the real seams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from distill.protocols import Completion, Request, ScoreRequest, TokenScores
from distill.rows import Message, Provenance, Row, root_of

VOCABULARY = 12


def row(question: str, answer: str | None, source: str = "real") -> Row:
    messages: tuple[Message, ...] = (Message(role="user", content=question),)
    if answer is not None:
        messages += (Message(role="assistant", content=answer),)
    provenance = Provenance.model_validate(
        {"source": source, "origin": "data@1", "method": "real", "root": root_of(messages)}
    )
    return Row(kind="chat" if answer is not None else "prompt", messages=messages, provenance=provenance)


@dataclass
class FakeScorer:
    """A character is a token; its logits are drawn from the seed and the character before it."""

    seed: int = 0
    tokenizer: str = "characters"
    template: str = "plain"
    errors: Mapping[str, str] = field(default_factory=dict)
    """Answer to the error it comes to."""
    nan: str | None = None
    """Answer whose log-probabilities are NaN."""
    order: int = 1
    """-1 gives the results in reverse."""

    def score(self, requests: Sequence[ScoreRequest], top_k: int) -> Iterator[TokenScores]:
        for request in requests[:: self.order]:
            answer = request.messages[-1].content
            tokens = np.array([ord(letter) % VOCABULARY for letter in answer] + [0], dtype=np.int32)
            logprobs = self.distribution(tokens)
            best = logprobs.argmax(-1).astype(np.int32)
            ids = request.at if request.at is not None else np.argsort(-logprobs, axis=-1)[:, :top_k].astype(np.int32)
            own = np.take_along_axis(logprobs, tokens[:, None], -1)[:, 0]
            if answer == self.nan:
                own = own * np.float32("nan")
            top = np.take_along_axis(logprobs, ids, -1)
            yield TokenScores(request.key, tokens, own, best, ids, top, self.errors.get(answer))

    def close(self) -> None:
        """Nothing is held."""

    def distribution(self, tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        """(T,) -> (T, vocabulary) log-probabilities."""
        logits = np.random.default_rng(self.seed).normal(size=(VOCABULARY, VOCABULARY))[np.roll(tokens, 1)]
        found: npt.NDArray[np.float64] = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        return found.astype(np.float32)


@dataclass
class FakeEngine:
    """Answers with the question turned round; counts what it was asked."""

    name: str = "fake"
    template: str = "plain"
    errors: Mapping[str, str] = field(default_factory=dict)
    """Question to the error it comes to."""
    by_sample: Mapping[int, str] = field(default_factory=dict)
    """Number of a sample to the error it comes to, whatever the question."""
    asked: list[Request] = field(default_factory=list)

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        self.asked += requests
        for request in reversed(requests):
            question = request.messages[-1].content
            error = self.errors.get(question) or self.by_sample.get(request.sample)
            text = question[::-1][: request.sampling.max_new_tokens]
            if error:
                yield Completion(request.key, "", "error", len(question), 0, error=error)
            else:
                cut = len(text) < len(question)
                yield Completion(request.key, text, "length" if cut else "stop", len(question), len(text))

    def late(self) -> list[Completion]:
        return []

    def close(self) -> None:
        """Nothing is held."""
