"""A teacher as its rows tell of it: what it is asked, and its answers as rows with their provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from distill.cards import UNKNOWN
from distill.protocols import Completion, Request, Sampling
from distill.rows import Message, Provenance, Row, root_of

RowKind = Literal["prompt", "chat", "text", "preference", "benchmark"]


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
    """A teacher as its rows tell of it."""

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
    name: str = "teacher"
    """Among the recipe's teachers."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Kept with every row, in `provenance.sampling`."""

    def ask(
        self,
        messages: Sequence[Message],
        sample: int = 0,
        max_new_tokens: int | None = None,
        *,
        temperature: float | None = None,
        turn: Literal["assistant", "user", "text"] = "assistant",
        schema: str | None = None,
    ) -> Request:
        """A request in the method's sampling, shorter where `max_new_tokens` is less."""
        changed: dict[str, Any] = {}
        if max_new_tokens is not None and max_new_tokens < self.sampling.max_new_tokens:
            changed["max_new_tokens"] = max_new_tokens
        if temperature is not None:
            changed["temperature"] = temperature
        sampling = self.sampling.model_copy(update=changed) if changed else self.sampling
        return Request(tuple(messages), sampling, self.seed, sample, turn, schema, self.name)

    def row(
        self,
        request: Request,
        completion: Completion,
        method: str,
        parents: Sequence[Row],
        *,
        messages: Sequence[Message] | None = None,
        kind: RowKind = "chat",
        rejected: Sequence[Message] = (),
        evidence: Mapping[str, str] | None = None,
        scores: Mapping[str, float] | None = None,
        helped: Sequence[Author] = (),
        **notes: object,
    ) -> Row:
        """The answer as a row, cut short or not: whether it ended is noted as `finish` in the provenance.

        Args:
            completion: the last answer; the row's messages are its request's and it, unless `messages` says otherwise.
            method: name of the stream that it is for (`Work.stream`).
            parents: rows it was made from; its root, and with it its side of the split, is that of the first. Without
                parents its root is its own.
            helped: other models that decided something of it: their terms and depth count too.
            notes: more to keep in `provenance.sampling`.

        Raises:
            Unusable: `engine_error` or `empty_answer`.
        """
        if messages is None:
            text = said(completion, "answer")
            answer = Message(role="assistant", content=text, reasoning=completion.reasoning)
            messages = (*request.messages, answer)
        terms = [term for author in (self, *helped) for term in author.terms or (UNKNOWN,)]
        terms += [term for row in parents for term in row.provenance.terms or (UNKNOWN,)]
        provenance = Provenance(
            source="teacher",
            origin=self.origin,
            method=method,
            root=parents[0].provenance.root if parents else root_of(messages),
            parents=tuple(row.id for row in parents),
            depth=1 + max([author.depth for author in (self, *helped)] + [row.provenance.depth for row in parents]),
            terms=tuple(dict.fromkeys(terms)),
            sampling=self._drawn(request, completion, helped, notes),
        )
        return Row(
            kind=kind,
            messages=tuple(messages),
            rejected=tuple(rejected),
            evidence=dict(evidence or {}),
            provenance=provenance,
            scores=dict(scores or {}),
        )

    def _drawn(
        self, request: Request, completion: Completion, helped: Sequence[Author], notes: Mapping[str, object]
    ) -> dict[str, Any]:
        """How the answer was drawn, for the provenance."""
        return {
            **request.sampling.model_dump(),
            "seed": request.seed,
            "sample": request.sample,
            "template": self.template,
            **self.engine,
            **self.notes,
            **({"helped": [author.origin for author in helped]} if helped else {}),
            **notes,
            "finish": completion.finish,
            **({"date": completion.date} if completion.date else {}),
        }


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


def whole(completion: Completion, what: str) -> str:
    """The text of a completion that came to an end by itself: half an instruction is none.

    Raises:
        Unusable: `engine_error`, `empty_<what>` or `unfinished_<what>`.
    """
    text = said(completion, what)
    if completion.finish != "stop":
        raise Unusable(f"unfinished_{what}", text[-200:])
    return text


def user(content: str) -> Message:
    return Message(role="user", content=content)


def opened(system: str | None, messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages, after a system message where there is one to give and none yet."""
    if system is None or messages[0].role == "system":
        return tuple(messages)
    return (Message(role="system", content=system), *messages)
