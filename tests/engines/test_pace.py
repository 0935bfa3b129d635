"""The limit against servers of every kind, simulated token by token: no clock, no network, the same every time."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import pytest

from distill.engines.pace import FIRST, Pace, Place


@dataclass(frozen=True)
class Simulated:
    """A server that writes for `slots` requests at once and lets the others queue."""

    speed: Callable[[int], float]
    """Tokens per second of so many requests together."""
    slots: int = 10**9
    cap: int = 10**9
    """Requests beyond it are refused."""
    flaky: float = 0.0
    """Share of requests that are refused whatever the load."""
    hangs: float = 0.0
    """Share of requests to which nothing comes."""
    timeout: float = 10.0
    """Seconds after which the client gives those up."""


class Fixed(Pace):
    """What a hand-tuned loop does."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit, inf)
        self.limit = limit

    def _consider(self, now: float) -> None: ...

    def refused(self, place: Place, now: float) -> None:
        self.left(place, now)


def simulate(
    server: Simulated, pace: Pace, lengths: list[int], chance: random.Random, start: float = 0.0
) -> tuple[float, int]:
    """Tokens per second from the first request to the last answer, and refusals on the way."""
    todo, queue = deque(lengths), deque()  # type: ignore[var-annotated]
    busy: list[tuple[float, int, int, object]] = []
    later: list[tuple[float, int]] = []
    hanging: list[tuple[float, int, int, object]] = []
    now, written = start, 0.0
    count = refusals = 0

    def serve(length: int, place: object) -> None:
        nonlocal count
        count += 1
        heapq.heappush(busy, (written + length, count, length, place))

    while todo or busy or later or hanging:
        while later and later[0][0] <= now:
            todo.appendleft(heapq.heappop(later)[1])
        while todo and pace.room:
            length, place = todo.popleft(), pace.start(now)
            if len(busy) + len(queue) >= server.cap or chance.random() < server.flaky:
                refusals += 1
                pace.refused(place, now)
                heapq.heappush(later, (now + chance.uniform(0.5, 1.5), length))
            elif server.hangs and chance.random() < server.hangs:
                count += 1
                heapq.heappush(hanging, (now + server.timeout, count, length, place))
            elif len(busy) < server.slots:
                serve(length, place)
            else:
                queue.append((length, place))
        each = server.speed(len(busy)) / len(busy) if busy else 0.0
        done = now + (busy[0][0] - written) / each if busy else inf
        lost = hanging[0][0] if hanging else inf
        then = min(done, lost, later[0][0] if later else inf)
        written, now = written + each * (then - now), then
        if then == done:
            _, _, length, place = heapq.heappop(busy)
            pace.answered(place, now, length)  # type: ignore[arg-type]
            if queue:
                serve(*queue.popleft())
        elif then == lost:
            _, _, length, place = heapq.heappop(hanging)
            refusals += 1
            pace.refused(place, now)  # type: ignore[arg-type]
            todo.append(length)
    return sum(lengths) / (now - start), refusals


def lengths(count: int, alike: bool = False) -> list[int]:
    chance = random.Random(1)
    return [48 if alike else max(1, min(1024, int(chance.lognormvariate(4.5, 0.8)))) for _ in range(count)]


def tuned(server: Simulated, work: list[int]) -> float:
    """The best of fixed limits."""
    limits = [limit for limit in (1, 5, 8, 16, 20, 32, 64, 100, 128, 256, 512) if limit <= server.cap]
    return max(simulate(server, Fixed(limit), work, random.Random(0))[0] for limit in limits)


def found(server: Simulated, work: list[int], most: int = 512, timeout: float = 600) -> tuple[float, Pace, int]:
    """Speed over that of the best fixed limit, the pace that was found, and how often it was refused."""
    pace = Pace(most, timeout)
    speed, refusals = simulate(server, pace, work, random.Random(2))
    return speed / tuned(server, work), pace, refusals


def cpu(busy: int) -> float:
    return 100.0 * min(busy, 8) ** 0.4


LLAMA, ONE = Simulated(cpu, slots=8), Simulated(lambda _busy: 50.0, slots=1)
GPU = Simulated(lambda busy: 8000.0 * busy / (busy + 80), slots=256)


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("server", [LLAMA, ONE, Simulated(lambda busy: 40.0 * busy, slots=4)], ids=["8", "1", "4"])
def test_a_small_server_that_queues_is_kept_busy_and_not_flooded(server: Simulated, alike: bool) -> None:
    for count in (256, 3000):
        ratio, pace, _ = found(server, lengths(count, alike))
        assert ratio > 0.97
        assert pace.limit <= 64


def test_a_large_server_is_filled() -> None:
    ratio, pace, _ = found(GPU, lengths(10000))
    assert ratio > 0.97 and pace.limit > 128
    assert found(GPU, lengths(2000))[0] > 0.88, "the climb takes a few rounds"


@pytest.mark.parametrize("cap", [5, 20])
def test_a_server_that_refuses_beyond_a_limit(cap: int) -> None:
    ratio, pace, refusals = found(Simulated(lambda busy: 40.0 * busy, cap=cap), lengths(3000))
    assert ratio > 0.95
    assert cap - 1 <= pace.limit <= cap + 2
    assert refusals < 100


def test_a_server_that_gets_slower_beyond_a_limit() -> None:
    server = Simulated(lambda busy: 40.0 * busy if busy < 20 else 800.0 * 20 / busy)
    ratio, pace, _ = found(server, lengths(10000))
    assert ratio > 0.9 and 16 <= pace.limit <= 24


@pytest.mark.parametrize("flaky", [0.05, 0.2])
def test_refusals_that_have_nothing_to_do_with_the_load_do_not_starve_it(flaky: float) -> None:
    server = Simulated(lambda busy: 40.0 * busy, slots=64, flaky=flaky)
    ratio, pace, _ = found(server, lengths(10000))
    assert pace.limit >= FIRST
    assert ratio > 0.75


@pytest.mark.parametrize("flaky", [0.0, 0.1, 0.2])
def test_requests_that_hang_hold_up_no_others(flaky: float) -> None:
    server = Simulated(lambda busy: 60.0 * min(busy, 4) ** 0.3, slots=16, flaky=flaky, hangs=0.04)
    ratio, pace, _ = found(server, [4 + number % 5 for number in range(3000)], most=32, timeout=10)
    assert ratio > 0.85 and pace.limit >= 4


def test_a_limit_that_falls_later_is_followed() -> None:
    pace, chance = Pace(512, 600), random.Random(3)
    simulate(Simulated(lambda busy: 40.0 * busy, cap=100), pace, lengths(4000), chance)
    assert 90 <= pace.limit <= 104
    simulate(Simulated(lambda busy: 40.0 * busy, cap=10), pace, lengths(2000), chance, start=1e6)
    assert pace.limit <= 13


def test_nobody_waits_near_the_timeout() -> None:
    slow = Simulated(lambda busy: 16.0 * (busy / 16) ** 0.2)
    assert found(slow, [100] * 3000, timeout=600)[1].limit <= 64, "there an answer takes 300 s"
    assert found(slow, [100] * 3000, timeout=1e9)[1].limit >= 128


def test_the_bound_is_never_passed() -> None:
    pace = Pace(20, 600)
    simulate(GPU, pace, lengths(2000), random.Random(0))
    assert pace.limit == 20 and pace.running == 0
    assert Pace(1, 600).limit == 1


def test_the_last_requests_of_a_wave_teach_nothing() -> None:
    pace, time = Pace(512, 600), 0.0
    for _ in range(60):
        limit = pace.limit
        time += sum(lengths(200)) / simulate(GPU, pace, lengths(200), random.Random(0), time)[0]
    assert limit == pace.limit == 256, "a wave of 200 is too small to learn more"
