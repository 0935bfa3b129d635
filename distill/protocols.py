"""The seams: what answers, what scores, what judges. Fakes belong here and nowhere else.

Engine   messages -> completion          Scorer   messages with an answer -> its tokens' log-probabilities
Embedder texts -> vectors                Filter   rows -> verdicts
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from pydantic import Field

from distill.rows import Frozen, Message, Row, digest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Sampling(Frozen):
    """How an answer is drawn."""

    temperature: float = Field(0.7, ge=0)
    """0 is greedy."""
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    """0 is off."""
    max_new_tokens: int = Field(256, gt=0)


@dataclass(frozen=True)
class Request:
    """One question to an engine. Two requests with one key are the same question and have one answer."""

    messages: tuple[Message, ...]
    sampling: Sampling
    seed: int = 0
    sample: int = 0
    """0, 1, … for several answers to the same messages."""
    turn: Literal["assistant", "user", "text"] = "assistant"
    """What is asked for: the answer; what the user says next, as the chat template opens that turn; or how the text of
    the only message goes on, without any template."""
    schema: str | None = None
    """JSON Schema, as JSON, that the answer should fit. An engine that can hold a model to it does; others let it be."""
    to: str = ""
    """Which of a recipe's teachers is asked, by name. Each has a store of its own, so that this is not in the key."""

    @cached_property
    def key(self) -> str:
        """Hash of everything on this side of the engine that changes the answer; 24 hex digits."""
        # A greedy answer has no noise, so that neither seed nor sample belongs to its key.
        noise = [self.seed, self.sample] if self.sampling.temperature > 0 else []
        messages = [message.model_dump() for message in self.messages]
        form = [self.turn, self.schema] if self.turn != "assistant" or self.schema else []
        return digest([messages, self.sampling.model_dump(), noise, *form])[:24]


@dataclass(frozen=True)
class Completion:
    """What became of one request. A failure is `finish="error"` with its reason, never an empty text."""

    request: str
    """The request's key."""
    text: str
    finish: Literal["stop", "length", "error"]
    prompt_tokens: int
    new_tokens: int
    reasoning: str | None = None
    error: str | None = None
    date: str | None = None
    """Day of the answer (UTC) where the weights that gave it have no revision."""
    cost: float | None = None
    """Money, where the server itself says what it charged."""
    stored: bool = False
    """It comes from the answer store: no model was asked."""


class Engine(Protocol):
    name: str
    """Everything on the engine's side that changes an answer, hashed: model revision, kind, dtype, template."""
    template: str
    """Hash of the chat template it renders with."""

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """One completion per distinct request of this rank's share, as each is done, in any order; never None.

        Every rank gives the same requests: batches follow from the whole list.
        """
        ...

    def late(self) -> list[Completion]:
        """Of the last `generate`, where it was closed before its end: completions that came nevertheless."""
        ...

    def close(self) -> None:
        """Free the model; asked again, the engine loads it again."""
        ...


@dataclass(frozen=True)
class ScoreRequest:
    """A conversation whose last message is an answer; its tokens (with the stop token) are scored."""

    key: str
    messages: tuple[Message, ...]
    at: npt.NDArray[np.int32] | None = None
    """(T, k) token ids to report at each position instead of the scorer's own top k."""
    turn: Literal["assistant", "text"] = "assistant"
    """What is scored: the last answer, given what was said before; or the text of the last message alone, without any
    template, from the first token that another one precedes."""


@dataclass(frozen=True)
class TokenScores:
    """Scores of one answer of T tokens, natural logarithms."""

    request: str
    tokens: npt.NDArray[np.int32]
    """(T,) the answer's token ids, the stop token last."""
    logprobs: npt.NDArray[np.float32]
    """(T,) log-probability of each of them."""
    best: npt.NDArray[np.int32]
    """(T,) the scorer's own most likely token at each position."""
    top_ids: npt.NDArray[np.int32]
    """(T, k) the requested ids, or the k most likely ones, most likely first."""
    top_logprobs: npt.NDArray[np.float32]
    """(T, k) their log-probabilities under the scorer."""
    error: str | None = None


class Scorer(Protocol):
    tokenizer: str
    """Hash of the vocabulary: token ids of two scorers mean the same only where it is equal."""
    template: str

    def score(self, requests: Sequence[ScoreRequest], top_k: int) -> Iterator[TokenScores]:
        """One result per request of this rank's share, in any order."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...


class Embedder(Protocol):
    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """(texts,) -> (texts, dim), each row of length 1. All ranks give the same texts and get all vectors."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...


@dataclass(frozen=True)
class Verdict:
    """What a filter says of one row."""

    keep: bool
    reason: str = ""
    """A slug that says what was found, such as `too_long`: a count in the ledger."""
    score: float | None = None
    """Of a row that is kept it goes into the row's scores, under the filter's label; without one nothing stands there."""
    evidence: str | None = None
    """What the judgement rests on, such as the row it duplicates."""
    row: Row | None = None
    """The row as it goes on, where the filter changed it."""


KEEP = Verdict(True)


Scope = Literal["row", "set", "pool"]
"""`row` judges a row alone; `set` remembers the rows before; `pool` must have seen all before it judges any."""


class Filter(Protocol):
    @property
    def kind(self) -> str: ...

    @property
    def scope(self) -> Scope: ...

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """Same length, same order."""
        ...


class Pool(Protocol):
    """What a filter of scope `pool` can do besides."""

    def survey(self, rows: Sequence[Row]) -> None:
        """A batch of all the rows; `judge` is then given the same batches in the same order."""
        ...


@runtime_checkable
class Noting(Protocol):
    """A filter that has something to say of all that it judged, such as how much of a tail is left."""

    def notes(self) -> list[str]:
        """What was not said yet; asked when a pass over the rows is over."""
        ...


@dataclass(frozen=True)
class Judged:
    """A row with the first verdict that dropped it, or the verdict that all filters passed."""

    row: Row
    """As it went on: with the scores of the filters that it passed, and as a filter changed it."""
    verdict: Verdict
    filter: str
    """Kind of the filter that dropped it; empty when kept."""
    also: tuple[str, ...] = ()
    """Kinds of later filters that would have dropped it too, where that was looked at."""
    changed: tuple[str, ...] = ()
    """`<filter>.<reason>` of every change that was made to it."""


class Accept(Protocol):
    """The recipe's filters as generation sees them, so that it can ask on until enough are accepted."""

    def alone(self, rows: Sequence[Row]) -> list[Judged]:
        """By the filters that judge a row alone: cheap, exact, asked after every wave."""
        ...

    def together(self, rows: Sequence[Row]) -> list[Judged]:
        """By the whole chain, in the order of the rows."""
        ...


Summary = dict[str, Any]
"""What a stage reports of itself, kept in its manifest: `counts`, `cost`, `notes`, and what the report shows."""
