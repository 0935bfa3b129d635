"""Thousands of requests through every fault: each is answered once, by the real server, or listed as failed with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from distill.protocols import Completion
from tests.engines.faults import deal
from tests.engines.faults.asking import ask, questions, stored
from tests.engines.faults.proxy import Proxy, proxying

LONG = 300.0
LATE = "no answer in time"
"""What any request may say on a machine that has much else to do."""
SIZES = [
    pytest.param(112, id="few"),
    pytest.param(2000, id="many", marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
]


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.usefixtures("quick")
def test_every_request_is_answered_once_or_fails_with_its_reason(
    llama: str, timeout: float, tmp_path: Path, count: int
) -> None:
    with proxying(llama) as proxy:
        answers = list(ask(proxy.address, tmp_path, count, timeout=timeout))
        print(told(proxy, answers, count))
        assert set(proxy.dealt) == {*deal.KINDS, deal.CLEAN}
        check(proxy, answers, count)
        answered = {each.request: each for each in answers if each.finish != "error"}
        assert stored(tmp_path) == answered
        assert count / 2 < len(answered) < count
        second_half = proxy.together[len(proxy.together) // 2 :]
        assert median(second_half) >= 3, "the faults were taken for a server that has too much to do"

        proxy.faulty, before = False, proxy.asked
        again = {each.request: each for each in ask(proxy.address, tmp_path, count, timeout=LONG)}
        failed = [number for number, request in enumerate(questions(count)) if request.key not in answered]
        assert proxy.asked - before == Counter(failed)
        assert not [each for each in again.values() if each.finish == "error"]
        assert {key for key, each in again.items() if each.stored} == answered.keys()
        assert all(again[key].text == each.text for key, each in answered.items())
        assert stored(tmp_path).keys() == again.keys() == {each.key for each in questions(count)}


def check(proxy: Proxy, answers: Sequence[Completion], count: int, interrupted: bool = False) -> None:
    """Every request has one completion: what the real server said, which passed once, or the reason why there is none.

    Args:
        interrupted: the answers are those of the last of several clients.
    """
    numbers = {request.key: number for number, request in enumerate(questions(count))}
    assert Counter(each.request for each in answers) == Counter(numbers.keys())
    for each in answers:
        met, passed = proxy.met[numbers[each.request]], proxy.passed[numbers[each.request]]
        if each.finish != "error":
            assert is_the_servers(each, passed[-1]), (each, met, passed)
            assert len(passed) == 1 or interrupted, (each, met, passed)
        else:
            assert each.text == "" and any(why in str(each.error) for why in (deal.REASONS[met[-1]], LATE)), (each, met)
            assert interrupted or f"(after {len(met)} attempts)" in str(each.error), (each, met)


def is_the_servers(answer: Completion, real: dict[str, Any]) -> bool:
    """Text, end and counts are those that the real server gave; where the counts were taken away there are some."""
    (choice,) = real["choices"]
    same = (answer.text, answer.finish) == (choice["message"]["content"].strip(), choice["finish_reason"])
    counts = answer.prompt_tokens, answer.new_tokens
    usage = real.get("usage")
    counted = counts == (usage["prompt_tokens"], usage["completion_tokens"]) if usage else min(counts) > 0
    return same and counted and answer.error is None and not answer.reasoning


def told(proxy: Proxy, answers: Sequence[Completion], count: int) -> str:
    """What was dealt and what came of it, for whoever reads the test's output."""
    ends = {each.request: each.finish for each in answers}
    last: Counter[tuple[str, str]] = Counter()
    for number, request in enumerate(questions(count)):
        last[proxy.met[number][-1], ends[request.key]] += 1
    half = len(proxy.together) // 2
    first, second = proxy.together[:half], proxy.together[half:]
    lines = [
        f"{kind:22} {times:5} times, the last of { {end: n for (met, end), n in last.items() if met == kind} }"
        for kind, times in proxy.dealt.most_common()
    ]
    return "\n".join(["", *lines, str(dict(Counter(ends.values()))), f"at once {median(first)}, then {median(second)}"])
