"""The items shown are picked by a rule, not by anybody."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from distill.compare.arms import read_arms
from distill.compare.samples import read_samples

Make = Callable[..., dict[str, Path]]


def test_worst_middle_and_best_by_student_minus_base(make_run: Make) -> None:
    arms = read_arms(make_run())
    found = read_samples(arms, "heldout_teacher.loss")
    assert [sample.label for sample in found.items] == ["worst"] * 4 + ["middle"] * 4 + ["best"] * 4
    student, base = arms[2].items, arms[1].items
    differences = sorted(
        student[key].metrics["loss"][0] - base[key].metrics["loss"][0]
        for key in student
        if key[0] == "heldout_teacher" and student[key].answered
    )
    shown = [sample.difference for sample in found.items]
    assert shown[0] == differences[-1] and shown[8] == differences[0]  # lower is better
    assert all(set(sample.answers) == {"teacher", "base", "student"} for sample in found.items)
    assert "30 items" in found.rule


def test_higher_is_better_turns_the_order(make_run: Make) -> None:
    found = read_samples(read_arms(make_run()), "heldout_teacher.chrf")
    assert found.items[0].difference < found.items[-1].difference


def test_few_items_are_each_shown_once(make_run: Make) -> None:
    found = read_samples(read_arms(make_run(count=6)), "heldout_teacher.loss")
    assert len(found.items) == len({sample.item for sample in found.items}) == 3


def test_items_without_answers_are_shown_when_none_was_generated(make_run: Make) -> None:
    inputs = make_run()
    path = inputs["evaluate/student"] / "items.jsonl"
    lines = [{**json.loads(line), "answer": None} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_samples(read_arms(inputs), "heldout_teacher.loss")
    assert len(found.items) == 12 and "only scored" in found.rule
    assert found.items[0].answers["student"] is None


def test_without_base_there_is_a_reason_instead(make_run: Make) -> None:
    found = read_samples(read_arms(make_run(arms={"teacher": 1.4, "student": 2.0})), "heldout_teacher.loss")
    assert not found.items and "missing" in found.rule
