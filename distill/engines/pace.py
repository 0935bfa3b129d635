"""answers and refusals -> how many requests one address is given at once.

    look       another limit is tried, higher or lower, and the answers' speed under it measured
    better     it stays, and the next look goes the same way, twice as far
    no better  the old one comes back, and the next look comes later, goes the other way, half as far
    refused    from the third on each refusal (429, 503, a time out) takes one place away, at most half of them in one go.
               This is a look downwards: where it is slower, or refused as often, the refusals are not for the load, and
               more are let pass
    overtaken  a request that waits far longer than any answer took gives its place to another: it hangs

A server of one's own never refuses: it queues. There a higher limit brings longer waits and no more answers, so that of
two limits the lower one is better where it is as fast. Speed is tokens per second by Little's law, the requests at once
times an answer's tokens over the seconds it took: every answer is a measurement. Nothing here knows a clock or a network.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 16
"""Requests at once before anything is known."""
GAIN = 0.03
"""By what share a limit twice as high must be faster to be better; one less far needs as much less."""
FEW = 8
"""Answers before a look may end, which it does once the difference is beyond chance (1 / root of the answers)."""
MANY = 64
"""Answers after which a look ends in any case, or two full houses."""
TOLERATED, MOST_TOLERATED = 2, 128
"""Refusals that are let pass under a limit; four times as many each time that fewer requests would not have helped."""
OVERTAKEN = 4
"""Times the slowest of the last answers, after which a request is taken to hang."""
PATIENCE, LONGEST_PATIENCE = 8, 64
"""Full houses answered between two looks, twice as many after each look for nothing."""


@dataclass(frozen=True, eq=False)
class Place:
    """What a request in flight remembers of its start."""

    started: float
    area: float
    """Requests at once, summed over time, until then."""


@dataclass
class Measured:
    """Speed under one limit; the older half is forgotten from time to time."""

    tokens: float = 0.0
    seconds: float = 0.0
    answers: int = 0
    refusals: int = 0

    def add(self, tokens: float, seconds: float) -> None:
        if self.answers >= 8 * MANY:
            self.tokens, self.seconds = self.tokens / 2, self.seconds / 2
            self.answers, self.refusals = self.answers // 2, self.refusals // 2
        self.tokens, self.seconds, self.answers = self.tokens + tokens, self.seconds + seconds, self.answers + 1

    @property
    def speed(self) -> float:
        return self.tokens / self.seconds

    @property
    def refused(self) -> float:
        """Share of the requests that were."""
        return self.refusals / max(self.refusals + self.answers, 1)


class Pace:
    """The limit of one address.

    Args:
        most: never more than this.
        timeout: seconds that a request may take; no look goes where the wait would come near.
    """

    def __init__(self, most: int, timeout: float) -> None:
        self._most, self._timeout = most, timeout
        self.limit = min(FIRST, most)
        self.running = 0
        self._flying: dict[Place, None] = {}
        """Those of which an answer is expected, in the order of their start: `running` of them."""
        self._base = self._step = self.limit
        """The limit that a look falls back to, and how far the next one goes from there; below 0 downwards."""
        self._patience = self._rested = 0
        self._found, self._tried = Measured(), Measured()
        """Under the base, and under the limit of a look."""
        self._at = self._area = self._changed = self._cut = self._slowest = 0.0
        self._floor, self._held = 1, 0
        self._refusals, self._tolerated = 0, TOLERATED

    @property
    def room(self) -> bool:
        return self.running < self.limit

    def start(self, now: float) -> Place:
        self._count(now, 1)
        self._flying[place := Place(now, self._area)] = None
        return place

    def left(self, place: Place, now: float) -> bool:
        """A request has ended, in a way that tells nothing of the load; whether it had its place still."""
        if place not in self._flying:
            return False
        del self._flying[place]
        self._count(now, -1)
        return True

    def answered(self, place: Place, now: float, tokens: int) -> None:
        """An answer of so many tokens has come."""
        held = self.left(place, now)
        self._rested += 1
        life = now - place.started
        self._slowest = max(life, 0.99 * self._slowest)
        while self._flying and now - (oldest := next(iter(self._flying))).started > OVERTAKEN * self._slowest:
            self.left(oldest, now)
        if held and place.started >= self._changed and life > 0:
            together = (self._area - place.area) / life
            # With the last requests of a wave the house empties, and they are fast.
            if together > 0.9 * self.limit:
                self._measured.add(together * max(tokens, 1), life)
        self._consider(now)

    def refused(self, place: Place, now: float) -> None:
        """The server had no place for it, or so it seems."""
        if not self.left(place, now):
            return
        if place.started >= self._changed:
            self._measured.refusals += 1
        self._refusals += 1
        if self._refusals <= self._tolerated:
            return
        if place.started >= self._cut:
            # While fewer are tried, not fewer and fewer: it would never come to a measurement.
            self._cut, self._floor = now, max(1, max(self.limit, self._base) // 2)
            self._patience = _longer(self._patience)
        self._step = 1
        if self.limit <= self._floor:
            self._held += 1
            # Refused so often that no answer is a measurement: fewer it is.
            if self.limit < self._base and self._held > 4 * self.limit + MANY // 4:
                self._settle(self.limit, Measured(), now)
        elif self.limit - 1 == self._base or self._found.answers < FEW:
            self._settle(self.limit - 1, self._found if self.limit > self._base else Measured(), now)
        else:
            self._try(self.limit - 1, now)

    @property
    def _measured(self) -> Measured:
        return self._found if self.limit == self._base else self._tried

    def _count(self, now: float, change: int) -> None:
        self._area += self.running * (now - self._at)
        self._at, self.running = now, self.running + change

    def _consider(self, now: float) -> None:
        """Begin a look, or end the one that goes on."""
        if self.limit == self._base:
            target = min(max(self._base + self._step, 1), self._most)
            in_time = target < self._base or 2 * self._slowest * target / self._base <= self._timeout
            rested = self._rested >= self._patience * max(self._base, MANY // 2)
            if rested and in_time and target != self._base and self._found.answers >= FEW:
                self._try(target, now)
                self._refusals = 0
        elif self._tried.answers >= FEW:
            difference = abs(self._tried.speed / self._found.speed - 1)
            if difference > self._tried.answers**-0.5 or self._tried.answers >= max(MANY, 2 * self.limit):
                self._judge(now)

    def _judge(self, now: float) -> None:
        """Stay under the limit that was tried, or go back."""
        low, high = sorted([(self._base, self._found.speed), (self.limit, self._tried.speed)])
        further = high[0] / low[0] - 1
        # So small a step is not measurable, and harmless: it stays unless it hurts.
        needed = GAIN * further if further > 0.1 else -GAIN
        upwards = self.limit > self._base
        refused = self._refusals > self._tolerated
        for_nothing = refused and not upwards and self._tried.refused > self._found.refused / 2
        if for_nothing and high[1] >= low[1] * (1 - needed):
            self._settle(self._base, self._found, now)
            self._tolerated = min(4 * self._tolerated, MOST_TOLERATED)
            self._patience = 0
        elif upwards == (high[1] >= low[1] * (1 + needed)):
            self._step = min(2 * self._step, self.limit) if self._step > 0 else max(2 * self._step, -(self.limit // 4))
            self._settle(self.limit, self._tried, now)
            self._patience = 0
        elif refused:
            # What was measured under the base may be out of date: if it cannot be measured again, the refusals were right.
            self._settle(self._base, Measured(), now)
            self._tolerated = min(4 * self._tolerated, MOST_TOLERATED)
            # What they took away before is sought back without waiting.
            self._patience = 0
        else:
            self._settle(self._base, self._found, now)
            size = max(min(abs(self._step) // 2, self.limit // 4), self.limit // 8, 1)
            self._step = -size if upwards else size
            self._patience = _longer(self._patience)

    def _try(self, limit: int, now: float) -> None:
        self.limit, self._tried, self._changed, self._held = limit, Measured(), now, 0

    def _settle(self, limit: int, measured: Measured, now: float) -> None:
        if limit < self._base and measured.refused <= self._found.refused / 2:
            self._tolerated = TOLERATED
        self.limit = self._base = limit
        self._found, self._changed = measured, now
        self._rested = self._refusals = self._held = 0


def _longer(patience: int) -> int:
    return min(max(PATIENCE, 2 * patience), LONGEST_PATIENCE)
