"""Which items are answered greedily, and that each question is asked once."""

from __future__ import annotations

from pathlib import Path

from distill.context import Context
from distill.evaluate.answers import Item, chosen, greedy
from tests.evaluate.fakes import FakeEngine, row

QUESTIONS = [f"Question number {n}?" for n in range(20)]
REAL = [Item("heldout_real", row(question, "real answer")) for question in QUESTIONS]
TEACHER = [Item("heldout_teacher", row(question, "teacher's answer", "teacher")) for question in QUESTIONS]
CONTEXT = Context(Path("unused"), {})


def test_the_same_items_are_chosen_in_any_order() -> None:
    assert chosen(REAL, 5) == chosen(REAL[::-1], 5)
    assert len(chosen(REAL, 5)) == 5
    assert chosen(REAL, 5) == chosen(REAL, 6)[:5]
    assert chosen(REAL, 0) == []
    assert len(chosen(REAL, 99)) == 20


def test_each_suite_has_its_share_of_the_same_prompts() -> None:
    found = chosen([*REAL, *TEACHER], 5)
    questions = [
        {item.row.question for item in found if item.suite == suite} for suite in ("heldout_real", "heldout_teacher")
    ]
    assert len(found) == 10
    assert questions[0] == questions[1]


def test_a_prompt_of_two_suites_is_asked_once_and_greedily() -> None:
    engine = FakeEngine()
    items = chosen([*REAL, *TEACHER], 5)
    found = greedy(items, engine, 8, CONTEXT)
    assert len(engine.asked) == 5
    assert all(request.sampling.temperature == 0 and request.sampling.max_new_tokens == 8 for request in engine.asked)
    assert {key: answer.text for key, answer in found.items()} == {
        item.key: item.row.question[::-1][:8] for item in items
    }


def test_the_answer_is_not_shown_to_the_engine() -> None:
    engine = FakeEngine()
    greedy(REAL[:1], engine, 8, CONTEXT)
    assert [message.role for message in engine.asked[0].messages] == ["user"]


def test_a_failure_keeps_its_reason() -> None:
    found = greedy(REAL[:2], FakeEngine(errors={QUESTIONS[0]: "too long"}), 8, CONTEXT)
    assert (found[REAL[0].key].finish, found[REAL[0].key].error) == ("error", "too long")
    assert found[REAL[1].key].finish == "length"
