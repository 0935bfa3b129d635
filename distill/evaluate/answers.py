"""items + an engine -> answers, the same questions in every arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from distill.context import Context
from distill.protocols import Completion, Engine, Request
from distill.rows import Row
from distill.suites.suite import Decoding


@dataclass(frozen=True)
class Item:
    """A row as a question of one suite."""

    suite: str
    """Its label."""
    row: Row

    @property
    def key(self) -> str:
        return f"{self.suite}/{self.row.id}"

    @property
    def turn(self) -> Literal["assistant", "text"]:
        """What is scored of it: its answer, or a text whole."""
        return "text" if self.row.kind == "text" else "assistant"

    @property
    def answered(self) -> bool:
        """Whether there is an answer to score, be it an empty one."""
        return self.row.messages[-1].role == "assistant"


def first(items: Sequence[Item], count: int) -> list[Item]:
    """The first `count` items by the hash of their prompt: every arm takes the same.

    By the prompt, not by the answer, so that suites that share prompts take the same prompts and each is answered once.
    """
    return sorted(items, key=lambda item: (item.row.provenance.root, item.row.id))[:count]


def ask(
    asked: Sequence[tuple[Item, Decoding]], engine: Engine, context: Context
) -> Mapping[str, tuple[Completion, ...]]:
    """Each item's completions by its key, on every rank; the engine's answer store asks nothing twice."""
    wanted = {
        item.key: [Request(item.row.prompt, how.sampling, how.seed, sample) for sample in range(how.samples)]
        for item, how in asked
    }
    requests = list({request.key: request for own in wanted.values() for request in own}.values())
    share = -(-len(requests) // context.ranks.world)
    mine = list(context.progress(engine.generate(requests), share, "answering", "answer"))
    found = {completion.request: completion for completion in context.ranks.gather(mine)}
    lost = [request.key for request in requests if request.key not in found]
    assert not lost, f"the engine gave no completion for {lost}"
    return {key: tuple(found[request.key] for request in own) for key, own in wanted.items()}
