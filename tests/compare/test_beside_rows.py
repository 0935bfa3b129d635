"""What the report says of health that is not in a panel of rows: named attributes, the rarest texts, the gap to real loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from distill.collapse.attributes import Attribute
from distill.collapse.settings import Guard
from distill.compare import html, markdown
from distill.compare.arms import read_arms
from distill.compare.attributes import attributes
from distill.compare.real_text import rarest_loss, train_gap
from distill.compare.report import Point
from distill.compare.stage import Spec, build
from distill.rows import Message, read_rows, write_rows
from distill.train.logits import Logits
from distill.train.preference import Preference
from distill.train.sft import Sft
from tests.compare.conftest import item_lines, write_arm

HELD_OUT = ("heldout_teacher", "heldout_real")
Make = Callable[..., dict[str, Path]]
NAMED = TypeAdapter(tuple[Attribute, ...]).validate_python(
    [
        {"kind": "words", "name": "easier", "words": ["easier"]},
        {"kind": "length", "name": "long", "min_words": 15},
    ]
)


def test_shares_of_rows_and_answers_are_those_counted_by_hand(make_run: Make) -> None:
    inputs = make_run()
    found, notes = attributes(NAMED, inputs["filter"], read_arms(inputs), HELD_OUT, 0)
    assert not notes and list(found) == ["easier", "long"]
    for corpus, file in (("real", "real.jsonl"), ("teacher", "kept.jsonl")):
        answers = [row.answer for row in read_rows(inputs["filter"] / file) if row.answer]
        having = sum("easier" in answer.lower() for answer in answers)
        assert found["easier"].told[corpus] == len(answers)
        assert found["easier"].values[corpus] == pytest.approx(having / len(answers))
    assert found["easier"].told["student"] == 30, "both suites ask the same 30 prompts"


def test_answers_to_suites_that_ask_for_a_letter_are_no_texts_beside_peoples(make_run: Make) -> None:
    inputs = make_run()
    lines = item_lines("student", 2.0, 60)
    letters = [
        {**line, "suite": "choices", "item": f"c{place}", "root": f"c{place}", "answer": "B"}
        for place, line in enumerate(lines)
    ]
    write_arm(inputs["evaluate/student"], "student", [*lines, *letters])
    alone, _ = attributes(
        NAMED, inputs["filter"], read_arms({"evaluate/student": inputs["evaluate/student"]}), HELD_OUT, 0
    )
    assert alone["long"].told["student"] == 30


def test_shares_without_people_to_hold_them_against_are_told(make_run: Make) -> None:
    inputs = make_run()
    write_rows(inputs["filter"] / "real.jsonl", [])
    found, notes = attributes(NAMED[:1], inputs["filter"], read_arms(inputs), HELD_OUT, 0)
    assert not found and "easier has nothing to be held against" in notes[0]


def test_the_rarest_tenth_has_a_loss_of_its_own(make_run: Make) -> None:
    inputs = make_run()
    said = " ".join(line["reference"] for line in item_lines("teacher", 1.4, 40))
    real = list(read_rows(inputs["filter"] / "real.jsonl"))
    people = [
        row.model_copy(update={"messages": (*row.prompt, Message(role="assistant", content=said))}) for row in real
    ]
    write_rows(inputs["filter"] / "real.jsonl", people)
    for arm, loss in (("teacher", 1.4), ("base", 2.6), ("student", 2.0)):
        lines = item_lines(arm, loss, 120)
        for line in lines:
            if line["suite"] == "heldout_real" and int(line["item"][1:]) % 10 == 0:
                line["reference"] = f"Quixotry{line['item']} zyzzyva quern."
                line["metrics"]["loss"] = {"value": loss + 3, "weight": 4}
        write_arm(inputs[f"evaluate/{arm}"], arm, lines)
    found = rarest_loss(read_arms(inputs), inputs["filter"] / "real.jsonl", ("heldout_real",), 0)
    assert found is not None and found.n == 12
    assert {arm: round(one.mean, 6) for arm, one in found.arms.items()} == {"teacher": 4.4, "base": 5.6, "student": 5.0}
    assert found.rise == pytest.approx(-0.6)
    assert found.ci95 == pytest.approx((-0.6, -0.6))


def test_few_held_out_texts_say_nothing_of_the_rarest(make_run: Make) -> None:
    inputs = make_run()
    for arm in ("teacher", "base", "student"):
        write_arm(inputs[f"evaluate/{arm}"], arm, item_lines(arm, 2.0, 24))
    assert rarest_loss(read_arms(inputs), inputs["filter"] / "real.jsonl", ("heldout_real",), 0) is None


def test_a_recipe_of_texts_has_a_rarest_tenth_too(make_run: Make) -> None:
    inputs = make_run()
    for arm, loss in (("teacher", 1.4), ("base", 2.6), ("student", 2.0)):
        lines = [line for line in item_lines(arm, loss, 120) if line["suite"] == "heldout_real"]
        write_arm(inputs[f"evaluate/{arm}"], arm, [{**line, "suite": "heldout_text"} for line in lines])
    arms, people = read_arms(inputs), inputs["filter"] / "real.jsonl"
    assert rarest_loss(arms, people, ("heldout_real",), 0) is None
    found = rarest_loss(arms, people, ("heldout_text",), 0)
    assert found is not None and found.n == 12


def test_the_gap_is_of_the_student_that_was_kept() -> None:
    curve = [
        Point(step=1, loss=3.0),
        Point(step=2, loss=2.0, real_loss=2.5, kept=True),
        Point(step=3, loss=0.5),
        Point(step=4, loss=0.1, real_loss=4.0),
    ]
    found = train_gap(curve)
    assert found is not None and (found.step, found.train, found.real, found.gap) == (2, 2.5, 2.5, 0.0)
    last = train_gap([point.model_copy(update={"kept": False}) for point in curve])
    assert last is not None and (last.step, last.train) == (4, pytest.approx(0.3))
    assert train_gap([Point(step=1, loss=3.0)]) is None and train_gap([]) is None


def test_a_loss_that_is_no_nats_per_token_has_no_gap_to_the_loss_on_real_rows(make_run: Make) -> None:
    plain = (Sft(), Sft(surest=0.9), Preference(objective="preference"), Logits(objective="logits"))
    assert [one.nats for one in plain] == [True, False, False, False]
    inputs = make_run()
    (inputs["train"] / "log.jsonl").write_text('{"step": 1, "loss": 2.0, "real_loss": 2.5}\n')
    said = [
        build(Spec(name="t", use="research", primary="heldout_teacher.loss", seed=0, nats=nats), inputs)
        for nats in (True, False)
    ]
    assert [one.diversity.train_gap is None for one in said] == [False, True]


def test_every_form_of_the_report_shows_it(make_run: Make) -> None:
    spec = Spec(name="t", use="research", primary="heldout_teacher.loss", seed=0, guard=Guard(attributes=NAMED))
    report = build(spec, make_run())
    assert list(report.diversity.attributes) == ["easier", "long"]
    for text in (markdown.render(report), html.render(report)):
        assert "easier" in text and "texts that have" in text
