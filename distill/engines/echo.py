"""The engine that needs no model: it answers with the question. For tests and dry runs.

`[fail]` in a question makes it fail, `[long]` makes it run out of tokens: what follows can be tried with every end.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Literal

from distill.context import Ranks
from distill.engines.batches import share
from distill.protocols import Completion, Request
from distill.rows import Frozen, digest

VERSION = 1


class Echo(Frozen):
    kind: Literal["echo"] = "echo"


class EchoEngine:
    """Deterministic, and a word is a token."""

    template = "echo"

    def __init__(self, revision: str, ranks: Ranks) -> None:
        self.name = digest(["echo", VERSION, revision])[:24]
        self._ranks = ranks

    def generate(self, requests: Sequence[Request], known: Container[str] = ()) -> Iterator[Completion]:
        """One completion per distinct request of this rank's share that is not known yet."""
        distinct = {request.key: request for request in requests}
        for request in share(list(distinct.values()), self._ranks.rank, self._ranks.world):
            if request.key not in known:
                yield _answer(request)

    def late(self) -> list[Completion]:
        """Nothing is ever in flight."""
        return []

    def close(self) -> None:
        """Nothing is held."""


def _answer(request: Request) -> Completion:
    asked = sum(len(message.content.split()) for message in request.messages)
    question = next((m.content for m in reversed(request.messages) if m.role == "user"), "")
    if "[fail]" in question:
        return Completion(request.key, "", "error", asked, 0, error="the question asks for a failure")
    words, limit = question.split(), request.sampling.max_new_tokens
    if "[long]" in question:
        words = (words * (limit + 1))[: limit + 1]
    text = " ".join(words[:limit]) if len(words) > limit else question.strip()
    return Completion(request.key, text, "length" if len(words) > limit else "stop", asked, min(len(words), limit))
