"""candidates -> outcomes: many generators moved on together, so that the engine always has a full batch to answer.

    wave 1   every candidate's first request     -> completions sent in
    wave 2   the requests of those that go on    -> completions sent in
    ...      until all have returned or failed

Every rank runs the same candidates; an engine answers its rank's share of the requests, and all ranks get all answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from distill.context import Context
from distill.generate.method import Candidate, Unusable
from distill.protocols import Completion, Engine, Request
from distill.rows import Row

MISSING = "missing"
"""Reason of a candidate whose request the engine left without a completion."""


@dataclass(frozen=True)
class Outcome:
    """What became of a candidate: a row, or the reason why there is none."""

    row: Row | None
    reason: str = ""
    detail: str = ""


@dataclass
class Driver:
    """Asks one engine, and counts the tokens of every distinct answer it was given."""

    engine: Engine
    context: Context
    prompt_tokens: int = 0
    new_tokens: int = 0
    _counted: set[str] = field(default_factory=set, repr=False)

    def run(self, candidates: Sequence[Candidate], label: Callable[[], str]) -> Iterator[dict[int, Outcome]]:
        """Move all candidates to their ends.

        Args:
            label: text before the progress bar, asked anew for each wave.

        Yields:
            after each wave those that ended in it, by their place in `candidates`; each place comes once.
        """
        ended: dict[int, Outcome] = {}
        waiting: dict[int, Request] = {}
        for place, candidate in enumerate(candidates):
            advance(candidate, None, place, waiting, ended)
        while waiting:
            asked, waiting = waiting, {}
            answers = self.ask(list(asked.values()), label())
            for place, request in asked.items():
                if (completion := answers.get(request.key)) is None:
                    ended[place] = Outcome(None, MISSING, "the engine gave no completion")
                else:
                    advance(candidates[place], completion, place, waiting, ended)
            yield ended
            ended = {}
        if ended:
            yield ended

    def ask(self, requests: Sequence[Request], label: str) -> dict[str, Completion]:
        """Completions by key on every rank; requests with one key are asked once."""
        distinct = list({request.key: request for request in requests}.values())
        ranks = self.context.ranks
        share = -(-len(distinct) // ranks.world)
        mine = self.context.progress(self.engine.generate(distinct), share, label, "answer", Speed())
        answers = {completion.request: completion for completion in ranks.gather(list(mine))}
        for key in answers.keys() - self._counted:
            self.prompt_tokens += answers[key].prompt_tokens
            self.new_tokens += answers[key].new_tokens
        self._counted |= answers.keys()
        return answers


def advance(
    candidate: Candidate,
    completion: Completion | None,
    place: int,
    waiting: dict[int, Request],
    ended: dict[int, Outcome],
) -> None:
    """Move one candidate to its next request or to its end."""
    try:
        waiting[place] = next(candidate) if completion is None else candidate.send(completion)
    except StopIteration as stop:
        ended[place] = Outcome(stop.value)
    except Unusable as unusable:
        ended[place] = Outcome(None, unusable.reason, unusable.detail)


class Speed:
    """Tokens written per second since the first look, as the note after a progress bar."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.tokens = 0

    def __call__(self, completion: Completion) -> str:
        self.tokens += completion.new_tokens
        return f"{self.tokens / max(time.monotonic() - self.start, 1e-3):.0f} tokens/s"
