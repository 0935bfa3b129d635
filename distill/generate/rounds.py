"""methods + accept -> candidates in request order: how many are asked next, and when there are enough.

    fill       ask what is still needed divided by the yield so far, judge each row alone, until every quota is met
    together   judge all by the whole chain; what set filters took is asked again, at most `TOP_UPS` times

What is asked next depends only on answers that are there already, never on who was faster: any number of processes,
killed any number of times, asks the same. This module knows nothing of files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from distill.context import Context
from distill.engines.spent import Spent
from distill.generate.drive import MISSING, Driver, Outcome
from distill.generate.estimate import estimate, left, remaining, yields
from distill.generate.method import Candidate
from distill.generate.streams import SMALL, Stream
from distill.protocols import KEEP, Judged
from distill.rows import Row, root_of

TOP_UPS = 3
PILOT = 16
"""Candidates of the first round of a generation that is at least twice as large: they say what the others will cost."""
PENDING = Outcome(None, MISSING, "not answered yet")


@dataclass
class Asked:
    """A candidate that was asked, and all that became of it."""

    stream: Stream
    index: int
    """Its place among the candidates of its method."""
    outcome: Outcome = PENDING
    spent: Spent = Spent()
    judged: Judged | None = None

    @property
    def kept(self) -> bool:
        return self.judged is not None and self.judged.verdict.keep


@dataclass
class Rounds:
    """The state of a generation: every candidate asked so far, in request order."""

    streams: Sequence[Stream]
    driver: Driver
    context: Context
    budget: int
    """Most candidates."""
    min_yield: float
    held_out: frozenset[str]
    """Roots of the other side of the split: what a method writes must not be one of them."""
    what: str = "generate"
    """The node that it is for."""
    leaked: str = "held_out"
    """Reason of a candidate that is on the other side."""
    asked: list[Asked] = field(default_factory=list)
    rounds: int = 0
    top_ups: int = 0

    def __post_init__(self) -> None:
        self.driver.note = self.note

    @property
    def filled(self) -> bool:
        return all(not stream.need for stream in self.streams)

    @property
    def kept(self) -> int:
        """Rows that count: what a method has beyond its quota is surplus."""
        return sum(min(stream.kept, stream.quota) for stream in self.streams)

    @property
    def hopeless(self) -> bool:
        """The yield is under the floor by more than chance explains (two standard errors at most)."""
        asked = len(self.asked)
        kept = sum(stream.kept for stream in self.streams)
        return asked >= SMALL and kept / asked + asked**-0.5 < self.min_yield

    def run(self) -> None:
        """Ask until every quota is met by the whole chain, or nothing more can be asked."""
        self.fill()
        while self.filled:
            self.together()
            if self.filled or self.top_ups == TOP_UPS:
                return
            self.top_ups += 1
            self.fill()

    def fill(self) -> None:
        """Ask round after round until the filters that judge a row alone have accepted enough."""
        while not (self.filled or self.hopeless or self.driver.exhausted):
            new = self.next_round()
            if not new:
                return
            self.ask(new)
            if self.rounds == 1 and not self.filled:
                self.context.say(f"  {self.what}: {estimate(self.streams, self.driver.speed.rate)}")

    def ask(self, new: Sequence[tuple[int, Candidate]]) -> None:
        """Move candidates to their ends, given with their places in `asked`."""
        self.rounds += 1
        places = [place for place, _ in new]
        for ended in self.driver.run([candidate for _, candidate in new], self.label):
            self.settle({places[index]: outcome for index, outcome in ended.items()})
        for index, spent in self.driver.by_place.items():
            asked = self.asked[places[index]]
            asked.spent = spent
            asked.stream.spent += spent

    def next_round(self) -> list[tuple[int, Candidate]]:
        """The next candidates with their places in `asked`: methods interleaved evenly, cut at the budget."""
        slots = []
        pilot = not self.rounds and sum(stream.quota for stream in self.streams) >= 2 * PILOT
        for number, stream in enumerate(self.streams):
            wanted = min(stream.wanted(), -(-PILOT // len(self.streams))) if pilot else stream.wanted()
            slots += [((turn + 1) / wanted, number) for turn in range(wanted)]
        slots = sorted(slots)[: self.budget - len(self.asked)]
        counts = Counter(number for _, number in slots)
        taken = {number: iter(self.streams[number].take(count)) for number, count in sorted(counts.items())}
        new = []
        for _, number in slots:
            if (candidate := next(taken[number], None)) is not None:
                stream = self.streams[number]
                new.append((len(self.asked), candidate))
                self.asked.append(Asked(stream, stream.asked))
                stream.asked += 1
        return new

    def settle(self, ended: Mapping[int, Outcome]) -> None:
        """Note the outcomes of candidates by their places, and judge their rows alone."""
        for place, outcome in ended.items():
            row = outcome.row
            leaked = row is not None and root_of(row.messages) in self.held_out
            self.asked[place].outcome = Outcome(None, self.leaked, row.question) if row and leaked else outcome
        fresh = [asked for place in ended if (asked := self.asked[place]).outcome.row is not None]
        self.judge(fresh, whole=False)

    def together(self) -> None:
        """Judge every row by the whole chain, in request order."""
        self.judge([asked for asked in self.asked if asked.outcome.row is not None], whole=True)

    def judge(self, items: Sequence[Asked], whole: bool) -> None:
        rows: list[Row] = [asked.outcome.row for asked in items if asked.outcome.row is not None]
        accept = self.context.accept
        if accept is None:
            judged = [Judged(row, KEEP, "") for row in rows]
        else:
            judged = accept.together(rows) if whole else accept.alone(rows)
        for asked, verdict in zip(items, judged, strict=True):
            asked.judged = verdict
        kept = Counter(id(asked.stream) for asked in self.asked if asked.kept)
        for stream in self.streams:
            stream.kept = kept[id(stream)]

    def label(self) -> str:
        return f"{self.what} {self.kept} of {sum(stream.quota for stream in self.streams)} rows accepted"

    def note(self) -> str:
        """Time left and yield by method, for the progress bar."""
        _, cost = remaining(self.streams)
        return "".join(f", {part}" for part in (*left(cost, self.driver.speed.rate), yields(self.streams)))
