"""What answers cost: counted once, whoever asks again, on however many ranks."""

from __future__ import annotations

from typing import Any

import pytest

from distill.context import Ranks, Runtime
from distill.endpoint import FREE, Endpoint, Price
from distill.engines.spent import Meter, Spent
from distill.protocols import Completion
from tests.engines.fake import ask
from tests.evaluate.fakes import FakeEngine


def test_an_answer_costs_what_the_server_says_or_its_tokens_by_price() -> None:
    answer, price = Completion("k", "", "stop", 1_000_000, 3_000_000), Price(prompt=2, completion=0.5)
    assert Spent.of(answer, price).cost == 3.5 and Spent.of(answer, None).cost == 0
    assert Spent.of(Completion("k", "", "stop", 9, 9, cost=0.25), price).cost == 0.25


def test_a_meter_counts_each_answer_once_for_each_model() -> None:
    meter, engine = Meter({"dear": Price(prompt=0, completion=1e6)}), FakeEngine()
    for name in ("dear", "free", "dear"):
        metered = meter.over(name, engine)
        assert [one.text for one in metered.generate([ask("ab"), ask("c")])] == ["c", "ba"]
    assert metered.name == engine.name and metered.late() == []
    assert meter.total(Ranks()) == Spent(6, 6, 3)
    assert meter.total(Ranks()).bill() == {"tokens": {"prompt": 6, "new": 6}, "money": 3}


def test_what_two_ranks_saw_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter({})
    list(meter.over("judge", FakeEngine()).generate([ask("ab")]))
    other = [(("judge", "elsewhere"), Spent(5, 5))]

    def gather(_: Ranks, items: Any) -> list[Any]:
        return [*items, *items, *other]

    monkeypatch.setattr(Ranks, "gather", gather)
    assert meter.total(Ranks(0, 2)) == Spent(7, 7)


def test_the_price_of_a_teacher_is_that_of_its_server() -> None:
    price = Price(prompt=1, completion=2)
    there = Endpoint(address="http://a/v1")
    runtime = Runtime(server=there, servers={"judge": there.model_copy(update={"price": price})})
    assert runtime.price("judge") == price and runtime.price("teacher") is None
    started = Endpoint.model_validate({"start": {"kind": "vllm"}})
    assert Runtime(server=started).price("teacher") == FREE and Runtime().price("teacher") is None
