"""items + an engine -> greedy answers to some of them, the same ones in every arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distill.context import Context
from distill.protocols import Completion, Engine, Request, Sampling
from distill.rows import Row


@dataclass(frozen=True)
class Item:
    """A held-out conversation as a question of one suite."""

    suite: str
    row: Row

    @property
    def key(self) -> str:
        return f"{self.suite}/{self.row.id}"

    @property
    def answered(self) -> bool:
        """Whether there is an answer to score, be it an empty one."""
        return self.row.messages[-1].role == "assistant"


def chosen(items: Sequence[Item], count: int) -> list[Item]:
    """The first `count` of each suite by the hash of their prompt: every arm takes the same.

    By the prompt, not by the answer, so that suites that share prompts take the same prompts and each is answered once.
    """
    taken: list[Item] = []
    for suite in dict.fromkeys(item.suite for item in items):
        own = (item for item in items if item.suite == suite)
        taken += sorted(own, key=lambda item: (item.row.provenance.root, item.row.id))[:count]
    return taken


def greedy(items: Sequence[Item], engine: Engine, max_new_tokens: int, context: Context) -> Mapping[str, Completion]:
    """Each item's completion by its key, on every rank; the engine's answer store asks nothing twice."""
    sampling = Sampling(temperature=0, max_new_tokens=max_new_tokens)
    asked = {item.key: Request(item.row.prompt, sampling) for item in items}
    requests = list({request.key: request for request in asked.values()}.values())
    share = -(-len(requests) // context.ranks.world)
    mine = list(context.progress(engine.generate(requests), share, "answering", "answer"))
    found = {completion.request: completion for completion in context.ranks.gather(mine)}
    lost = [request.key for request in requests if request.key not in found]
    assert not lost, f"the engine gave no completion for {lost}"
    return {key: found[request.key] for key, request in asked.items()}
