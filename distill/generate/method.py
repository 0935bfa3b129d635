"""The seam of methods: a method offers candidates, each straight-line code that asks the teacher and returns a row.

    def candidate() -> Candidate:
        request = author.ask(messages)
        completion = yield request
        return author.row(request, completion, "answer", parents)

A method is one file and one line in `stage.AnyMethod`. It knows nothing of engines, batches, ranks or filters.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from distill.cards import UNKNOWN
from distill.protocols import Completion, Request, Sampling
from distill.rows import Message, Provenance, Row

Candidate = Generator[Request, Completion, Row]
"""Yields requests, is sent their completions, returns a row or raises `Unusable`."""


class Unusable(Exception):
    """A candidate that came to nothing: a failure that is counted, not an error.

    Args:
        reason: a slug, such as `copies_seed`.
        detail: what was found.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Author:
    """The teacher as its rows tell of it."""

    origin: str
    """`<model>@<revision>`."""
    terms: tuple[str, ...]
    depth: int
    """0 for a model of others; a student's own depth."""
    sampling: Sampling
    seed: int
    template: str
    """Hash of its chat template."""
    engine: Mapping[str, Any]
    """`engine` (its kind) and `dtype`."""

    def ask(self, messages: Sequence[Message], sample: int = 0, max_new_tokens: int | None = None) -> Request:
        """A request in the recipe's sampling, shorter where `max_new_tokens` is less."""
        sampling = self.sampling
        if max_new_tokens is not None and max_new_tokens < sampling.max_new_tokens:
            sampling = sampling.model_copy(update={"max_new_tokens": max_new_tokens})
        return Request(tuple(messages), sampling, self.seed, sample)

    def row(
        self, request: Request, completion: Completion, method: str, parents: Sequence[Row], **notes: object
    ) -> Row:
        """The answer as a row, cut short or not: whether it ended is noted as `finish` in the provenance.

        Args:
            parents: rows it was made from; its root, and with it its side of the split, is that of the first.
            notes: more to keep in `provenance.sampling`.

        Raises:
            Unusable: `engine_error` or `empty_answer`.
        """
        text = said(completion, "answer")
        answer = Message(role="assistant", content=text, reasoning=completion.reasoning)
        terms = [*(self.terms or (UNKNOWN,)), *(term for row in parents for term in row.provenance.terms or (UNKNOWN,))]
        provenance = Provenance(
            source="teacher",
            origin=self.origin,
            method=method,
            root=parents[0].provenance.root,
            parents=tuple(row.id for row in parents),
            depth=1 + max(self.depth, *(row.provenance.depth for row in parents)),
            terms=tuple(dict.fromkeys(terms)),
            sampling={
                **request.sampling.model_dump(),
                "seed": request.seed,
                "sample": request.sample,
                "template": self.template,
                **self.engine,
                **notes,
                "finish": completion.finish,
                **({"date": completion.date} if completion.date else {}),
            },
        )
        return Row(kind="chat", messages=(*request.messages, answer), provenance=provenance)


def said(completion: Completion, what: str) -> str:
    """The text of a completion.

    Raises:
        Unusable: `engine_error`, or `empty_<what>`.
    """
    if completion.finish == "error":
        raise Unusable("engine_error", completion.error or "the engine gave no reason")
    if not completion.text.strip():
        raise Unusable(f"empty_{what}", f"finish: {completion.finish}")
    return completion.text


class Method(Protocol):
    """A way to make rows; the pydantic model that is its YAML is also its code."""

    @property
    def kind(self) -> str: ...

    @property
    def share(self) -> float: ...

    @property
    def data(self) -> str:
        """Name under `real` of the rows it starts from."""
        ...

    @property
    def template(self) -> str:
        """Text of the prompt file it asks with, part of the key of what it makes; empty where there is none."""
        ...

    def candidates(self, rows: Sequence[Row], author: Author) -> Iterator[Candidate]:
        """Candidates in an order fixed by the rows and the author's seed: the first n are the same whatever n is."""
        ...
