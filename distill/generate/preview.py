"""the first candidates of every stream, asked for real -> what was said, what became of it, and what all would take.

The answers are in the store like any others: the run that follows does not ask for them again. A preview runs in one
process and writes no rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.context import Context
from distill.generate.coverage import families
from distill.generate.estimate import estimate
from distill.generate.method import Candidate, Check, Score
from distill.generate.rounds import Asked, Rounds
from distill.generate.settings import Spec
from distill.generate.stage import rounds_of
from distill.generate.teacher import staff
from distill.protocols import Completion, Request
from distill.rows import Row

CELLS = 4
"""Cells of one method that are shown."""
LONGEST = 1500
"""Most characters of one text that are shown."""


@dataclass
class Watched:
    """A candidate that is looked over the shoulder."""

    said: list[tuple[str, str]] = field(default_factory=list)
    """Who, and what."""

    def over(self, candidate: Candidate) -> Candidate:
        """The same candidate, its questions and answers noted."""
        got: Any = None
        while True:
            try:
                wanted = candidate.send(got)
            except StopIteration as stop:
                row: Row = stop.value
                return row
            several = isinstance(wanted, tuple)
            got = yield wanted
            for asked, answer in zip(wanted, got, strict=True) if several else ((wanted, got),):
                self.said += exchange(asked, answer)


def exchange(asked: Request | Score | Check, got: Any) -> Iterator[tuple[str, str]]:
    """What was asked and answered, each with who says it."""
    if isinstance(asked, Request):
        wanted = "" if asked.turn == "assistant" else f" (asked for: {asked.turn})"
        for message in asked.messages:
            yield f"{message.role}{wanted}", message.content
        completion: Completion = got
        told = completion.error or completion.text
        yield f"=> {asked.to}, {completion.finish}, {completion.new_tokens} tokens", told
    elif isinstance(asked, Score):
        yield f"=> score by {asked.by}", f"{got.logprob:.3f} a token" if got.error is None else got.error
    else:
        yield "=> check", str(got)


def preview(spec: Spec, split: Path, context: Context, count: int) -> str:
    """So many candidates of every method, with all that was asked and answered, and an estimate of the whole.

    Of a method of many cells the first few cells are asked.
    """
    with staff(spec.teachers, spec.generate.sampling, spec.seed, context) as models:
        rounds = rounds_of(spec, {"split": split}, models, context)
        watched: list[Watched] = []
        new = []
        shown = [stream for streams in families(rounds.streams).values() for stream in streams[:CELLS]]
        for stream in shown:
            for candidate in stream.take(count):
                watched.append(Watched())
                new.append((len(rounds.asked), watched[-1].over(candidate)))
                rounds.asked.append(Asked(stream, stream.asked))
                stream.asked += 1
        rounds.ask(new)
    return "\n".join(page(rounds, watched))


def page(rounds: Rounds, watched: Sequence[Watched]) -> Iterator[str]:
    for asked, one in zip(rounds.asked, watched, strict=True):
        yield f"\n--- {asked.stream.name}, candidate {asked.index + 1}"
        for who, text in one.said:
            yield f"{who}:"
            cut = text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text) - LONGEST} more characters)"
            yield "\n".join(f"    {line}" for line in cut.splitlines() or [""])
        yield f"   {became(asked)}"
    yield f"\nestimate {estimate(rounds.streams, rounds.driver.speed.rate)}"


def became(asked: Asked) -> str:
    """What became of a candidate, in a line."""
    if asked.outcome.row is None:
        return f"no row: {asked.outcome.reason} ({' '.join(asked.outcome.detail.split())[:200]})"
    judged = asked.judged
    if judged is None or judged.verdict.keep:
        return "kept by the filters that judge a row alone"
    evidence = f" ({judged.verdict.evidence})" if judged.verdict.evidence else ""
    return f"dropped: {judged.filter}.{judged.verdict.reason}{evidence}"
