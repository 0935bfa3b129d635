"""candidates -> outcomes: many generators moved on together, so that the engines always have a full batch to answer.

    wave 1   all that every candidate asks first  -> answers sent in
    wave 2   all that those ask that go on        -> answers sent in
    ...      until all have returned or failed, or the budget is spent

Every rank runs the same candidates; an engine answers its rank's share of the requests, and all ranks get all answers.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from distill.context import Context
from distill.engines.batches import share
from distill.engines.spent import Spent
from distill.generate.author import Unusable
from distill.generate.method import Candidate, Check, Score, Scored
from distill.generate.purse import Purse
from distill.generate.spent import Speed
from distill.protocols import Completion, Engine, Request, Scorer, ScoreRequest, TokenScores
from distill.rows import Row, digest

MISSING = "missing"
"""Reason of a candidate whose request was left without a completion."""


class Models(Protocol):
    """Whatever answers and scores, by name."""

    def engine(self, name: str) -> Engine: ...

    def scorer(self, name: str) -> Scorer: ...


@dataclass(frozen=True)
class Outcome:
    """What became of a candidate: a row, or the reason why there is none."""

    row: Row | None
    reason: str = ""
    detail: str = ""


Waiting = dict[int, Any]
"""What each candidate has asked, by its place: one thing, or a tuple of several."""
Key = tuple[str, str]
"""What tells one thing that is asked from another: whom, and what."""


@dataclass
class Driver:
    """Asks models, and counts what every distinct answer cost."""

    models: Models
    context: Context
    purse: Purse = field(default_factory=Purse)
    """What was spent, and where the asking ends."""
    note: Callable[[], str] = str
    """More to show after the progress bar."""
    by_place: dict[int, Spent] = field(default_factory=dict)
    """What each candidate of the last `run` cost; what two ask alike is booked on the first."""
    speed: Speed = field(default_factory=Speed)
    _counted: set[Key] = field(default_factory=set, repr=False)

    @property
    def spent(self) -> Spent:
        return self.purse.spent

    @property
    def exhausted(self) -> bool:
        """The budget is spent: nothing more is asked."""
        return self.purse.empty

    def run(self, candidates: Sequence[Candidate], label: Callable[[], str]) -> Iterator[dict[int, Outcome]]:
        """Move all candidates to their ends.

        Args:
            label: text before the progress bar, asked anew for each wave.

        Yields:
            after each wave those that ended in it, by their place in `candidates`; each place comes once.
        """
        self.by_place = {}
        ended: dict[int, Outcome] = {}
        waiting: Waiting = {}
        for place, candidate in enumerate(candidates):
            advance(candidate, None, place, waiting, ended)
        while waiting:
            asked, waiting = waiting, {}
            found = self._wave(asked, label())
            for place, wanted in asked.items():
                several = isinstance(wanted, tuple)
                got = [found.get(key_of(one)) for one in (wanted if several else (wanted,))]
                if None in got:
                    why = "the budget was spent first" if self.exhausted else "the engine gave no completion"
                    ended[place] = Outcome(None, MISSING, why)
                    candidates[place].close()
                else:
                    advance(candidates[place], got if several else got[0], place, waiting, ended)
            yield ended
            ended = {}
        if ended:
            yield ended

    def _wave(self, asked: Waiting, label: str) -> dict[Key, Any]:
        """All that the candidates wait for, by its key; what is there twice is asked once."""
        first: dict[Key, tuple[int, Any]] = {}
        for place, wanted in asked.items():
            for one in wanted if isinstance(wanted, tuple) else (wanted,):
                first.setdefault(key_of(one), (place, one))
        wishes = [one for _, one in first.values()]
        places = {key: place for key, (place, _) in first.items()}
        answers = self._answers([one for one in wishes if isinstance(one, Request)], places, label)
        scores = self._scores([one for one in wishes if isinstance(one, Score)], label)
        return {**answers, **scores, **self._checks([one for one in wishes if isinstance(one, Check)], label)}

    def _answers(self, requests: Sequence[Request], places: Mapping[Key, int], label: str) -> dict[Key, Completion]:
        """Completions of distinct requests, on every rank all of them: as many asked at once as the budget allows."""
        found: dict[Key, Completion] = {}
        for name in dict.fromkeys(request.to for request in requests):
            waiting = [request for request in requests if request.to == name]
            while waiting and not self.exhausted:
                count = self.purse.affordable(name)
                asked, waiting = waiting[:count], waiting[count:]
                for completion in self.context.ranks.gather(self._share(name, asked, label)):
                    key = name, completion.request
                    found[key] = completion
                    self._book(key, completion, places[key])
        return found

    def _book(self, key: Key, completion: Completion, place: int) -> None:
        """Count what an answer cost, once."""
        if key not in self._counted:
            self._counted.add(key)
            self.by_place[place] = self.by_place.get(place, Spent()) + self.purse.book(key[0], completion)

    def _share(self, name: str, requests: Sequence[Request], label: str) -> list[Completion]:
        """This rank's completions, until its part of what is left of the budget is spent."""
        world, engine = self.context.ranks.world, self.models.engine(name)
        limit, spent, mine = self.purse.limit.share(self.spent, world), self.spent, []
        answers = engine.generate(requests)
        self.speed.start()
        bar = self.context.progress(
            answers, -(-len(requests) // world), label, "answer", lambda _: f"{self.speed}{self.note()}"
        )
        try:
            for completion in bar:
                mine.append(completion)
                if (name, completion.request) not in self._counted:
                    spent += self.purse.cost(name, completion)
                self.speed.add(completion)
                if limit.reached(spent):
                    break
        finally:
            for opened in (
                bar,
                answers,
            ):  # an engine whose generator is closed asks no more, and keeps what still comes
                if isinstance(opened, Generator):
                    opened.close()
            self.speed.stop()
        return [*mine, *engine.late()]

    def _scores(self, scores: Sequence[Score], label: str) -> dict[Key, Scored]:
        found: dict[Key, Scored] = {}
        for name in dict.fromkeys(one.by for one in scores):
            asked = [ScoreRequest(key_of(one)[1], one.messages) for one in scores if one.by == name]
            results = self.context.progress(
                self.models.scorer(name).score(asked, 0), len(asked), label, "score", lambda _: self.note()
            )
            mine = [(result.request, _scored(result)) for result in results]
            found |= {(name, key): scored for key, scored in self.context.ranks.gather(mine)}
        return found

    def _checks(self, checks: Sequence[Check], label: str) -> dict[Key, Any]:
        """Each rank does its share, in as many threads as it has processors: what is run is a process of its own."""
        if not checks:
            return {}
        ranks = self.context.ranks
        mine = share(list(enumerate(checks)), ranks.rank, ranks.world)
        with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // ranks.world)) as pool:
            done = pool.map(lambda one: (one[0], one[1].run()), mine)
            results = list(self.context.progress(done, len(mine), label, "check"))
        return {key_of(checks[place]): result for place, result in ranks.gather(results)}


def _scored(result: TokenScores) -> Scored:
    if result.error is not None:
        return Scored(math.nan, 0, result.error)
    return Scored(float(result.logprobs.mean()), len(result.tokens))


def key_of(one: Request | Score | Check) -> Key:
    if isinstance(one, Request):
        return one.to, one.key
    if isinstance(one, Score):
        return one.by, "score " + digest([message.model_dump() for message in one.messages])[:24]
    return "", f"check {id(one)}"


def advance(candidate: Candidate, got: Any, place: int, waiting: Waiting, ended: dict[int, Outcome]) -> None:
    """Move one candidate to what it asks next, or to its end."""
    try:
        waiting[place] = next(candidate) if got is None else candidate.send(got)
    except StopIteration as stop:
        ended[place] = Outcome(stop.value)
    except Unusable as unusable:
        ended[place] = Outcome(None, unusable.reason, unusable.detail)
