"""Requests -> completions over a plain asyncio loop: which address is asked next, attempts, pauses, addresses that die.

    waiting ─► the least loaded address that has room ─► answered, or refused for good ─► put
       ▲                                                         │ may pass
       └────────────────── pause, longer each time ◄─────────────┘

How many at once an address is given is `pace`'s business, one attempt is `attempt`'s, what is sent and read `openai`'s.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from distill.engines.attempt import Failed, Line, failure
from distill.engines.openai import Dialect
from distill.engines.pace import Pace, Place
from distill.errors import EngineError
from distill.protocols import Completion, Request

if TYPE_CHECKING:
    from aiohttp import ClientSession

FIRST_WAIT = 1.0
"""Seconds before the second attempt, give or take a half; doubled for each one after."""
LONGEST_WAIT = 60.0
GRACE = 10.0
"""Seconds that what is in flight has to come to its end, once nothing more is asked: it is paid for in any case."""
IN_A_ROW = 20
"""Requests given up one after the other, with no answer between them, after which the others are not tried."""


@dataclass(eq=False)
class Job:
    """A request on its way."""

    request: Request
    attempts: int = 0
    spent: float = 0.0
    """Of the attempts that it has; being turned away while others are answered costs a quarter of one."""
    tried: float = math.inf
    """When the attempt before this one began."""
    without: frozenset[str] = frozenset()
    """Fields to leave out at the next attempt."""


@dataclass(eq=False)
class Address:
    url: str
    pace: Pace
    rests: float = 0.0
    """Nothing is sent before this time."""
    failures: int = 0
    """Times in a row that there was no connection; while there are any, one request at a time probes it."""
    failed: float = 0.0
    """When the last of them was."""
    answered: float = -math.inf
    """When the last answer came."""

    def free(self, now: float) -> bool:
        return now >= self.rests and (self.pace.room if not self.failures else not self.pace.running)


class Client:
    """The addresses of one model. What it learns of them holds for all its runs, of which there is one at a time.

    Args:
        most: requests at once, over all addresses.
        timeout: seconds in which an answer must have come as a whole.
        attempts: of each request, and of an address without a connection.
        key: for `Authorization: Bearer …`; empty where there is none.
        say: for the person watching.
        hope: asked while no address can be reached; raises where there is no hope. When not given, there is none.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        dialect: Dialect,
        most: int,
        timeout: float,
        attempts: int,
        key: str = "",
        say: Callable[[str], None] = print,
        hope: Callable[[], None] | None = None,
    ) -> None:
        self.addresses = [Address(url, Pace(most, timeout)) for url in addresses]
        self._line = Line(dialect, timeout, key)
        self._most, self._attempts, self._say, self._hope = most, attempts, say, hope
        self._running: set[asyncio.Task[None]] = set()
        self._waiting: deque[Job] = deque()
        self._later: list[tuple[float, int, Job]] = []
        self._order = count()
        self._lost = 0
        self._error: BaseException | None = None

    async def run(self, requests: Iterable[Request], put: Callable[[Completion], None]) -> None:
        """Put one completion for each request, as it comes.

        Cancelled, it asks nothing more, puts what still comes within a grace, and leaves nothing behind.

        Raises:
            EngineError: nobody answers, or everybody would be refused.
        """
        self._waiting, self._later = deque(Job(request) for request in requests), []
        self._put, self._lost, self._error = put, 0, None
        self._wake = asyncio.Event()
        async with self._line.session() as session:
            try:
                while self._waiting or self._later or self._running:
                    now = time.monotonic()  # one for both: a pause that ends between two would have no timer
                    self._send_out(session, now)
                    await self._woken(now)
                    if self._error is not None:
                        raise self._error
            finally:
                await self._end()

    async def _end(self) -> None:
        """Nothing more is sent; what is in flight is waited for, not for long, and then let go."""
        try:
            if self._running:
                self._say(f"  no more is asked; {len(self._running)} answers on their way have {GRACE:g} s to come")
                await asyncio.wait(self._running, timeout=GRACE)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _send_out(self, session: ClientSession, now: float) -> None:
        """Give what waits to whoever has room, the least loaded first."""
        while self._later and self._later[0][0] <= now:
            self._waiting.appendleft(heapq.heappop(self._later)[2])
        while self._waiting and len(self._running) < self._most:
            free = [each for each in self.addresses if each.free(now)]
            if not free:
                return
            # One that may be back is asked first: with room enough elsewhere its turn would never come.
            address = min(free, key=lambda each: (not each.failures, each.pace.running / each.pace.limit))
            attempt = self._attempt(session, self._waiting.popleft(), address, address.pace.start(now))
            task = asyncio.create_task(attempt)
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._error = self._error or task.exception()
        self._wake.set()

    async def _woken(self, now: float) -> None:
        """Until a request has ended, a pause is over, or an address may be asked again, of those not over at `now`."""
        due = [self._later[0][0]] if self._later else []
        due += [each.rests for each in self.addresses if each.rests > now] if self._waiting else []
        timer = asyncio.get_running_loop().call_later(min(due) - now, self._wake.set) if due else None
        await self._wake.wait()
        self._wake.clear()
        if timer is not None:
            timer.cancel()

    async def _attempt(self, session: ClientSession, job: Job, address: Address, place: Place) -> None:
        job.attempts += 1
        try:
            result = await self._line.ask(session, address.url, job.request, job.without)
        except Failed as failed:
            (address.pace.refused if failed.load else address.pace.left)(place, time.monotonic())
            self._again(job, address, place.started, failed)
            return
        except BaseException:  # it was cancelled, or ends the run
            address.pace.left(place, time.monotonic())
            raise
        now = time.monotonic()
        if isinstance(result, str):
            address.pace.left(place, now)
            job.without |= {result}
            self._waiting.appendleft(job)
            return
        if result.finish == "error":
            address.pace.left(place, now)
        else:
            address.pace.answered(place, now, result.new_tokens)
            self._found(address, now)
        self._put(result)

    def _again(self, job: Job, address: Address, started: float, failed: Failed) -> None:
        """Put a request back, or give it up."""
        # A server that was started here has crashed and is not ready yet, if it has answered nobody meanwhile.
        loading = failed.full and self._hope is not None and address.answered < started
        if failed.unreachable or loading:
            self._waiting.appendleft(job)
            self._unreached(address, started, failed)
            return
        now = time.monotonic()
        job.spent += 0.25 if failed.full and address.answered >= job.tried else 1
        job.tried = started
        if failed.after is not None:
            address.rests = max(address.rests, now + min(failed.after, 10 * LONGEST_WAIT) * random.uniform(1.0, 1.1))
        if job.spent >= self._attempts:
            self._give_up(job, str(failed))
        elif failed.after is not None:
            self._waiting.appendleft(job)
        else:
            heapq.heappush(self._later, (now + _pause(job.spent - 1), next(self._order), job))

    def _give_up(self, job: Job, reason: str) -> None:
        self._put(failure(job.request, f"{reason} (after {job.attempts} attempts)"))
        self._lost += 1
        if self._lost == IN_A_ROW:
            raise EngineError(
                f"{IN_A_ROW} requests one after the other came to nothing, the last with {reason}",
                where="runtime.server",
                hint="look into the server's log; answers that came are kept, the same command goes on",
            )

    def _found(self, address: Address, now: float) -> None:
        """It answers."""
        if address.failures >= self._attempts:
            self._say(f"  {address.url} answers again")
        address.answered, address.failures, self._lost = now, 0, 0

    def _unreached(self, address: Address, started: float, failed: Failed) -> None:
        """Let an address without a connection rest, longer each time, and end the run where there is no other."""
        if started > address.failed:  # else it failed together with the others of that moment
            address.failed, address.failures = time.monotonic(), address.failures + 1
            address.rests = address.failed + _pause(address.failures - 1)
            if address.failures == self._attempts and len(self.addresses) > 1:
                self._say(f"  no server answers at {address.url}: the others are asked until it does")
        if all(each.failures >= self._attempts and not each.pace.running for each in self.addresses):
            if self._hope is not None:
                self._hope()
                return
            raise EngineError(
                f"no server answers at {', '.join(each.url for each in self.addresses)}: {failed}",
                where="runtime.server.address",
                hint="start the server, or correct the address; answers that came are kept, the same command goes on",
            )


def _pause(before: float) -> float:
    """Seconds before the next attempt, spread so that those refused together do not come back together."""
    return min(FIRST_WAIT * math.exp2(max(before, 0.0)), LONGEST_WAIT) * random.uniform(0.5, 1.5)
