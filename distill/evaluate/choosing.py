"""items with options + a scorer -> the log-likelihood of every option, each told apart from the stop token after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distill.context import Context
from distill.evaluate.answers import Item
from distill.protocols import Scorer, ScoreRequest
from distill.rows import Message


@dataclass(frozen=True)
class Likelihoods:
    """Of one item's options, in their order."""

    logprobs: tuple[float, ...] = ()
    error: str | None = None


def likelihoods(
    items: Sequence[tuple[Item, Sequence[str]]], scorer: Scorer, context: Context
) -> Mapping[str, Likelihoods]:
    """By the item's key, on every rank; this rank scores its share.

    Args:
        items: each with its options.
    """
    wanted: dict[str, list[str]] = {}
    requests: dict[str, ScoreRequest] = {}
    for item, options in items:
        for place, option in enumerate(options):
            key = f"{item.key}#{place}"
            messages = (*item.row.prompt, Message(role="assistant", content=option))
            requests[key] = ScoreRequest(key, messages)
            wanted.setdefault(item.key, []).append(key)
    share = -(-len(requests) // context.ranks.world)
    results = context.progress(scorer.score(list(requests.values()), 1), share, "choosing", "option")
    mine = [(scores.request, float(scores.logprobs[:-1].sum()), scores.error) for scores in results]
    found = {key: (logprob, error) for key, logprob, error in context.ranks.gather(mine)}
    return {key: _together([found[one] for one in own]) for key, own in wanted.items()}


def _together(options: Sequence[tuple[float, str | None]]) -> Likelihoods:
    error = next((error for _, error in options if error is not None), None)
    return Likelihoods(error=error) if error else Likelihoods(tuple(logprob for logprob, _ in options))
