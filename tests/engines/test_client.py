"""Attempts and addresses: limits, pauses, servers that die and come back, and everything that can go wrong at once."""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest

from distill.engines import client as clients
from distill.engines.client import Client
from distill.engines.openai import Dialect
from distill.engines.template import Opening
from distill.errors import EngineError
from distill.protocols import Completion, Request
from tests.engines.fake import DROP, Answer, Fake, ask, engine, refusal, running, said


def client(*addresses: str, most: int = 64, attempts: int = 4, **more: object) -> Client:
    def no_opening(_messages: object) -> Opening:
        raise AssertionError

    lines: list[str] = []
    made = Client(
        addresses, Dialect("t", no_opening, False, lines.append), most, 5.0, attempts, say=lines.append, **more
    )  # type: ignore[arg-type]
    made.lines = lines  # type: ignore[attr-defined]
    return made


def run(asked: Client, requests: list[Request]) -> list[Completion]:
    found: list[Completion] = []
    asyncio.run(asked.run(requests, found.append))
    return found


def many(count: int) -> list[Request]:
    return [ask(f"Q{number}") for number in range(count)]


def test_a_hard_limit_is_kept_to_and_nothing_is_lost(fake: Fake) -> None:
    def say(_question: str, _attempt: int) -> Answer | None:
        if fake.now > 5:
            return refusal(503)
        time.sleep(0.01)
        return None

    fake.say = say  # type: ignore[method-assign]
    asked = client(fake.address)
    assert {each.finish for each in run(asked, many(300))} == {"stop"}
    assert asked.addresses[0].pace.limit <= 8
    before = len(fake.bodies)
    assert len(run(asked, [ask(f"R{number}") for number in range(100)])) == 100
    assert len(fake.bodies) - before < 125, "what was learnt holds for the next questions"


def test_connections_that_are_cut_beyond_a_limit(fake: Fake) -> None:
    def say(_question: str, _attempt: int) -> Answer | None:
        if fake.now > 4:
            return DROP
        time.sleep(0.01)
        return None

    fake.say = say  # type: ignore[method-assign]
    asked = client(fake.address, attempts=8)
    assert {each.finish for each in run(asked, many(200))} == {"stop"}
    assert asked.addresses[0].pace.limit < 10


def test_retry_after_holds_for_the_whole_address(fake: Fake) -> None:
    times: list[float] = []

    def say(_question: str, _attempt: int) -> Answer | None:
        times.append(time.monotonic())
        return refusal(429, Retry_After="0.5") if len(times) == 1 else None

    fake.say = say  # type: ignore[method-assign]
    assert len(run(client(fake.address, most=1), many(3))) == 3
    assert times[1] - times[0] >= 0.5


def test_a_pause_that_ends_while_questions_are_sent_out_is_noticed(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, send_out, times = client(fake.address), Client._send_out, []

    def slowly(*given: object) -> None:
        times.append(time.monotonic())
        asked.addresses[0].rests = times[0] + 0.2
        send_out(*given)  # type: ignore[arg-type]
        time.sleep(0.3)

    monkeypatch.setattr(Client, "_send_out", slowly)
    found: list[Completion] = []
    asyncio.run(asyncio.wait_for(asked.run(many(1), found.append), 20))
    assert [each.text for each in found] == ["yes: Q0"]


def test_who_is_turned_away_while_others_are_answered_has_more_attempts(fake: Fake) -> None:
    fake.say = lambda question, attempt: refusal(429) if question == "Q1" and attempt < 7 else time.sleep(0.02)  # type: ignore[method-assign,func-returns-value]
    assert {each.finish for each in run(client(fake.address, most=2, attempts=3), many(60))} == {"stop"}
    assert fake.asked["Q1"] == 7
    fake.say = lambda _question, _attempt: refusal(429)  # type: ignore[method-assign]
    (failed,) = run(client(fake.address, attempts=3), [ask("alone")])
    assert failed.error == "HTTP 429: no (after 3 attempts)"


def test_a_server_that_answers_nobody_is_given_up(fake: Fake) -> None:
    fake.say = lambda _question, _attempt: refusal(500, "worn out")  # type: ignore[method-assign]
    found: list[Completion] = []
    with pytest.raises(
        EngineError, match="20 requests one after the other came to nothing, the last with HTTP 500: worn out"
    ):
        asyncio.run(client(fake.address, attempts=2).run(many(200), found.append))
    assert 20 <= len(found) < 60 and len(fake.bodies) < 150


def test_no_money_left_ends_the_run(fake: Fake) -> None:
    for answer in (refusal(402, "add credit"), refusal(429, "You exceeded your quota: insufficient_quota")):
        fake.say = lambda _question, _attempt, answer=answer: answer  # type: ignore[method-assign,misc]
        with pytest.raises(EngineError, match=f"HTTP {answer[0]} from {fake.address}") as caught:
            run(client(fake.address), many(3))
        assert "no money left" in str(caught.value.hint)


def test_several_addresses_share_and_the_least_loaded_is_asked_first(fake: Fake) -> None:
    with running() as slow:
        fake.say = lambda _question, _attempt: time.sleep(0.005)  # type: ignore[method-assign,func-returns-value]
        slow.say = lambda _question, _attempt: time.sleep(0.05)  # type: ignore[method-assign,func-returns-value]
        found = run(client(fake.address, slow.address, most=8), many(150))
        assert len(found) == 150
        assert len(fake.bodies) > 2 * len(slow.bodies) > 0
        assert fake.most + slow.most <= 9


def test_an_address_that_is_dead_is_left_out_and_asked_again(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "LONGEST_WAIT", 0.05)
    with running() as second:
        address, port = second.address, second.server_address[1]
    with ExitStack() as stack:
        back: list[Fake] = []

        def say(question: str, _attempt: int) -> None:
            if question == "Q200":
                back.append(stack.enter_context(running(port)))
            time.sleep(0.005)

        fake.say = say  # type: ignore[method-assign]
        asked = client(fake.address, address, most=8, attempts=2)
        found = run(asked, many(600))
        assert len(found) == 600 and {each.finish for each in found} == {"stop"}
        assert back[0].bodies
    assert asked.lines == [  # type: ignore[attr-defined]
        f"  no server answers at {address}: the others are asked until it does",
        f"  {address} answers again",
    ]


def test_a_server_that_dies_with_questions_in_flight(fake: Fake) -> None:
    gone = threading.Event()
    with running() as second:

        def say(question: str, _attempt: int) -> Answer | None:
            if question == "Q50":
                gone.set()
            if gone.is_set():
                with suppress(OSError):  # closed alone, it takes connections until its thread wakes
                    second.socket.shutdown(socket.SHUT_RDWR)
                second.socket.close()
                return DROP
            return None

        second.say = say  # type: ignore[method-assign]
        found = run(
            client(second.address, fake.address, attempts=64), many(200)
        )  # each of its connections is cut apart
    assert sorted(each.text for each in found) == sorted(f"yes: Q{number}" for number in range(200))


def test_a_server_of_ours_that_loads_its_model_again_costs_no_attempts(fake: Fake) -> None:
    fake.say = lambda _question, _attempt: refusal(503, "Loading model") if len(fake.bodies) < 12 else None  # type: ignore[method-assign]
    assert {each.finish for each in run(client(fake.address, attempts=2, hope=lambda: None), many(6))} == {"stop"}
    fake.bodies.clear()
    assert "error" in {each.finish for each in run(client(fake.address, attempts=2), many(6))}


def test_while_there_is_hope_a_server_is_waited_for(fake: Fake) -> None:
    asked: list[int] = []

    def hope() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise EngineError("it crashed once too often")

    fake.shutdown()
    fake.server_close()
    with pytest.raises(EngineError, match="once too often"):
        run(client(fake.address, attempts=2, hope=hope), many(2))


def test_a_refused_field_is_left_out_by_all(fake: Fake) -> None:
    fake.say = lambda _question, _attempt: refusal(400, "unknown: min_p, seed") if "seed" in fake.bodies[-1] else None  # type: ignore[method-assign]
    assert {each.finish for each in run(client(fake.address, most=1), many(5))} == {"stop"}
    assert len(fake.bodies) <= 7 and "seed" not in fake.bodies[-1]


FAULTS: list[Callable[[], Answer | None]] = [
    lambda: refusal(429, Retry_After="0.01"),
    lambda: refusal(429),
    lambda: refusal(500),
    lambda: refusal(503),
    lambda: (200, {}, b"<html>log in</html>"),
    lambda: (200, {}, b""),
    lambda: (200, {}, b'{"choices": [{"mess'),
    lambda: (200, {}, b'{"choices": []}'),
    lambda: said("A", usage={"completion_tokens": -4}),
    lambda: said("A", usage={"completion_tokens": 10**15}),
    lambda: (200, {"promised": "999"}, said("half")[2]),
    lambda: DROP,
    lambda: time.sleep(0.4),  # type: ignore[func-returns-value]
    lambda: refusal(400, "this one is too long"),
]


def test_a_thousand_requests_through_everything_that_can_go_wrong(fake: Fake) -> None:
    def say(question: str, attempt: int) -> Answer | None:
        chance = int(hashlib.sha256(f"{question} {attempt}".encode()).hexdigest()[:8], 16)
        return FAULTS[chance % len(FAULTS)]() if chance % 1000 < 300 else None

    fake.say = say  # type: ignore[method-assign]
    requests = many(1000)
    found = list(engine(fake.address, timeout=0.6, attempts=6).generate(requests))
    assert sorted(each.request for each in found) == sorted(each.key for each in requests)
    failed = [each for each in found if each.finish == "error"]
    assert {each.text for each in found if each.finish == "stop"} >= {"yes: Q1"}
    assert 0 < len(failed) < 120
    # Being turned away while others are answered costs less than an attempt, so that there may be more than six.
    assert all(re.search(r"too long|after \d+ attempts", str(each.error)) for each in failed)
