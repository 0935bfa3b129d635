"""Which items are answered, and that each question is asked once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill.context import Context
from distill.evaluate.answers import Item, ask, first
from distill.protocols import Sampling
from distill.suites.suite import Decoding
from tests.evaluate.fakes import FakeEngine, row

QUESTIONS = [f"Question number {n}?" for n in range(20)]
REAL = [Item("heldout_real", row(question, "real answer")) for question in QUESTIONS]
TEACHER = [Item("heldout_teacher", row(question, "teacher's answer", "teacher")) for question in QUESTIONS]
CONTEXT = Context(Path("unused"), {})
GREEDY = Decoding(Sampling(temperature=0, max_new_tokens=8))


def greedily(items: Sequence[Item]) -> list[tuple[Item, Decoding]]:
    return [(item, GREEDY) for item in items]


def test_the_same_items_are_first_in_any_order() -> None:
    assert first(REAL, 5) == first(REAL[::-1], 5)
    assert len(first(REAL, 5)) == 5
    assert first(REAL, 5) == first(REAL, 6)[:5]
    assert first(REAL, 0) == []
    assert len(first(REAL, 99)) == 20


def test_suites_that_share_prompts_take_the_same() -> None:
    real, teacher = first(REAL, 5), first(TEACHER, 5)
    assert {item.row.question for item in real} == {item.row.question for item in teacher}


def test_a_prompt_of_two_suites_is_asked_once_and_greedily() -> None:
    engine = FakeEngine()
    items = [*first(REAL, 5), *first(TEACHER, 5)]
    found = ask(greedily(items), engine, CONTEXT)
    assert len(engine.asked) == 5
    assert all(request.sampling.temperature == 0 and request.sampling.max_new_tokens == 8 for request in engine.asked)
    assert {key: [answer.text for answer in own] for key, own in found.items()} == {
        item.key: [item.row.question[::-1][:8]] for item in items
    }


def test_several_answers_to_an_item_are_several_questions_to_the_engine() -> None:
    engine = FakeEngine()
    how = Decoding(Sampling(temperature=0.8, max_new_tokens=8), samples=3, seed=5)
    found = ask([(REAL[0], how)], engine, CONTEXT)
    assert [(request.sample, request.seed) for request in engine.asked] == [(0, 5), (1, 5), (2, 5)]
    assert len(found[REAL[0].key]) == 3


def test_the_answer_is_not_shown_to_the_engine() -> None:
    engine = FakeEngine()
    ask(greedily(REAL[:1]), engine, CONTEXT)
    assert [message.role for message in engine.asked[0].messages] == ["user"]


def test_a_failure_keeps_its_reason() -> None:
    found = ask(greedily(REAL[:2]), FakeEngine(errors={QUESTIONS[0]: "too long"}), CONTEXT)
    (failed,), (other,) = found[REAL[0].key], found[REAL[1].key]
    assert (failed.finish, failed.error) == ("error", "too long")
    assert other.finish == "length"
