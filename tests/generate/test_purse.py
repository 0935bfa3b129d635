"""A budget is kept to: few questions at first, no more than what is left pays for, and whatever came is counted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from distill.context import Context
from distill.endpoint import FREE, Price
from distill.engines.open import open_engine
from distill.engines.server import Server
from distill.engines.store import AnswerStore, StoredEngine
from distill.errors import EngineError
from distill.generate.author import Author
from distill.generate.drive import Driver, Outcome
from distill.generate.purse import FIRST, GROWTH, Purse
from distill.generate.spent import Limit
from distill.protocols import Completion
from tests.engines.fake import Fake, place, running, said
from tests.generate.conftest import Alone, Canned, echo
from tests.generate.test_drive import answers, run, steps

UNKNOWN: dict[str, Price | None] = {"teacher": None}
"""A teacher behind a server, for which the recipe has no price."""


def cost(money: float | None, tokens: int = 5) -> Completion:
    return Completion("k", "fine", "stop", tokens, tokens, cost=money)


def test_more_is_asked_at_once_as_more_is_known_and_less_as_less_is_left() -> None:
    purse = Purse(Limit(cost=100), UNKNOWN)
    assert purse.affordable("teacher") == FIRST
    purse.book("teacher", cost(1))
    assert purse.affordable("teacher") == GROWTH
    for _ in range(39):
        purse.book("teacher", cost(2))
    assert purse.affordable("teacher") == int(21 / (79 / 40))
    purse.book("teacher", cost(20.9))
    assert purse.affordable("teacher") == 1 and not purse.empty
    assert Purse(Limit(tokens=100), UNKNOWN).affordable("teacher") == FIRST, "of tokens too"


def test_each_teacher_is_judged_by_its_own_answers() -> None:
    purse = Purse(Limit(cost=100), {"dear": None, "cheap": None})
    for _ in range(10):
        purse.book("dear", cost(5))
        purse.book("cheap", cost(0.1))
    assert purse.affordable("dear") == 9 and purse.affordable("cheap") == 40


def test_failures_and_free_answers_bound_nothing_but_the_growth() -> None:
    purse = Purse(Limit(cost=1), UNKNOWN)
    purse.book("teacher", Completion("k", "", "error", 0, 0, error="no"))
    assert purse.affordable("teacher") == GROWTH


def test_without_a_budget_or_a_server_all_is_asked_at_once() -> None:
    assert Purse(Limit(), UNKNOWN).affordable("teacher") == sys.maxsize
    assert Purse(Limit(tokens=5)).affordable("teacher") == sys.maxsize, "what is in this process stops at once"


def test_a_budget_of_money_needs_a_price() -> None:
    purse = Purse(Limit(cost=1), UNKNOWN)
    with pytest.raises(EngineError, match="no price is known") as caught:
        purse.book("teacher", cost(None))
    assert "runtime.servers.teacher.price" in str(caught.value)
    assert Purse(Limit(tokens=1), UNKNOWN).book("teacher", cost(None)).cost == 0, "no money is counted"
    for prices in ({}, {"teacher": FREE}, {"teacher": Price(prompt=1, completion=1)}):
        Purse(Limit(cost=1), prices).book("teacher", cost(None))


@dataclass
class Served:
    """One engine behind the store, under every name."""

    one: StoredEngine

    def engine(self, name: str) -> StoredEngine:  # noqa: ARG002
        return self.one

    def scorer(self, name: str) -> Any: ...


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    monkeypatch.setenv("no_proxy", "*")
    with running() as fake:
        yield fake


def asking(fake: Fake, folder: Path, limit: Limit, money: Sequence[float] | None) -> tuple[Driver, AnswerStore]:
    """A driver that asks the fake server, whose answers cost so much one after the other, the last of it ever after."""
    context = place(folder, fake.address)

    def say(question: str, _attempt: int) -> Any:
        paid = {"cost": money[min(len(fake.asked), len(money)) - 1]} if money else {}
        return said(f"yes: {question}", usage={"prompt_tokens": 7, "completion_tokens": 3, **paid})

    fake.say = say  # type: ignore[method-assign]
    engine = open_engine(Server(), "org/t", context)
    return Driver(Served(engine), context, Purse(limit, UNKNOWN)), AnswerStore(folder / "answers" / engine.name)


def ask(driver: Driver, author: Author, count: int = 60) -> dict[int, Outcome]:
    waves = run(driver, [steps(author, [f"word {number}"]) for number in range(count)])
    return {place: outcome for wave in waves for place, outcome in wave.items()}


def test_a_server_is_asked_for_no_more_than_the_budget_pays_for(author: Author, fake: Fake, tmp_path: Path) -> None:
    driver, store = asking(fake, tmp_path, Limit(cost=4), [2.0])
    became = ask(driver, author)
    store.refresh()
    assert len(fake.asked) == len(store.known()) == sum(one.row is not None for one in became.values()) == 2
    assert driver.spent.cost == 4 and driver.exhausted


def test_answers_that_cost_more_than_those_before_are_stored_used_and_counted(
    author: Author, fake: Fake, tmp_path: Path
) -> None:
    driver, store = asking(fake, tmp_path, Limit(cost=10), [0.1] * 5 + [5.0])
    became = ask(driver, author)
    store.refresh()
    rows = sum(one.row is not None for one in became.values())
    assert len(fake.asked) == len(store.known()) == rows
    assert driver.spent.cost == pytest.approx(0.5 + 5 * (rows - 5)), "those that were in flight at the end too"
    assert 5 + 2 <= rows <= 5 + GROWTH * 5


def test_a_server_without_a_price_is_asked_once(author: Author, fake: Fake, tmp_path: Path) -> None:
    driver, _ = asking(fake, tmp_path, Limit(cost=4), None)
    with pytest.raises(EngineError, match="no price is known"):
        ask(driver, author)
    assert len(fake.asked) == 1


def test_what_comes_after_the_budget_is_spent_is_used_and_counted(author: Author, context: Context) -> None:
    engine = Canned(echo)
    driver = Driver(Alone(engine), context, Purse(Limit(tokens=9)))
    engine.flying = [Completion(next(steps(author, ["a"])).key, "late", "stop", 5, 4)]
    waves = run(driver, [steps(author, [word]) for word in "abc"])
    assert answers(waves) == {0: "late", 2: "answer 0 to c"}
    assert driver.spent.tokens == 18 and [driver.by_place[place].tokens for place in (0, 2)] == [9, 9]


def test_several_teachers_share_one_budget(author: Author, context: Context) -> None:
    engine, names = Canned(echo), ("one", "two", "three")
    driver = Driver(Alone(engine), context, Purse(Limit(tokens=20)))
    asked = [steps(replace(author, name=name), [f"{name}{n}"]) for n in range(3) for name in names]
    run(driver, asked)
    assert driver.spent.tokens == 27 and {request.to for request in engine.asked} == {"one"}
