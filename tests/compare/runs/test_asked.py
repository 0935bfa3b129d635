"""What can be compared of several runs: the same questions in the same manner; the rest is left out with a sentence."""

from __future__ import annotations

import pytest

from distill.errors import CompareError
from tests.compare.runs.conftest import Lines, Runs


def test_teacher_and_base_of_two_runs_that_are_the_same_are_shown_once(runs: Runs) -> None:
    runs.make("a")
    runs.make("b", {"student": 1.8})
    comparison, found = runs.compare("a", "b")
    assert list(comparison.arms) == ["teacher", "base", "a", "b"]
    assert [column.role for column in comparison.arms.values()] == ["teacher", "base", "chosen", "chosen"]
    assert [(entry.teacher, entry.base) for entry in found.chosen] == [("teacher", "base")] * 2


def test_another_base_is_shown_apart_and_each_gap_is_measured_to_its_own(runs: Runs) -> None:
    runs.make("a")
    runs.make("b", {"base": 3.0})
    comparison, _ = runs.compare("a", "b")
    assert list(comparison.arms) == ["teacher", "a:base", "b:base", "a", "b"]
    loss = comparison.metrics["heldout_teacher.loss"]
    gaps = [gap.value or 0 for gap in loss.gap_recovered.values()]
    assert gaps[0] == pytest.approx(0.5, abs=0.05) and gaps[1] == pytest.approx(0.62, abs=0.05)
    assert ("b", "b:base") in {(pair.a, pair.b) for pair in loss.paired}


def test_a_base_that_is_named_by_hand_is_not_there_twice(runs: Runs) -> None:
    runs.make("a")
    comparison, _ = runs.compare("a", "a:base")
    assert list(comparison.arms) == ["teacher", "a", "a:base"]
    gap = comparison.metrics["heldout_teacher.loss"].gap_recovered["a:base"]
    assert gap.value is None and "one of the two" in str(gap.undefined)


def test_another_chat_template_of_one_vocabulary_leaves_nothing_to_compare(runs: Runs) -> None:
    runs.make("a")
    other = runs.make("b")
    for arm in ("student", "base", "teacher"):
        runs.change(other, arm, lambda manifest: manifest["summary"].update(template="ffff"))
    with pytest.raises(CompareError, match=r"b is left out: it was asked with chat template ffff, and a, of the same"):
        runs.compare("a", "b")


def test_another_treatment_of_thinking_is_refused(runs: Runs) -> None:
    runs.make("a")
    runs.make("c")
    other = runs.make("b")
    runs.change(other, "student", lambda manifest: manifest["summary"]["decoding"].update(thinking="answers"))
    comparison, _ = runs.compare("a", "b", "c")
    assert comparison.chosen == ["a", "c"]
    assert any("b is left out: it was evaluated with thinking answers" in note for note in comparison.notes)


def test_a_suite_decoded_otherwise_is_left_out_and_the_others_are_compared(runs: Runs) -> None:
    runs.make("a")
    other = runs.make("b")
    for arm in ("student", "base", "teacher"):
        runs.change(other, arm, lambda manifest: manifest["summary"]["decoding"]["sums"].update(temperature=0.7))
    comparison, _ = runs.compare("a", "b")
    assert list(comparison.suites) == ["heldout_teacher", "heldout_real"]
    assert "sums left out: b answered with temperature 0.7, not temperature 0 as a." in comparison.notes


def test_of_three_runs_one_that_answered_otherwise_is_missing_in_that_suite_alone(runs: Runs) -> None:
    runs.make("a")
    runs.make("c")
    other = runs.make("b")
    runs.change(other, "student", lambda manifest: manifest["summary"]["decoding"]["sums"].update(max_new_tokens=8))
    comparison, _ = runs.compare("a", "b", "c")
    assert "b" not in comparison.metrics["sums.accuracy"].arms and "b" in comparison.metrics["heldout_real.loss"].arms
    assert (
        "sums: b answered with max_new_tokens 8, not max_new_tokens 64 as a and is left out of it." in comparison.notes
    )


def test_fewer_answers_are_no_other_manner(runs: Runs) -> None:
    runs.make("a")
    other = runs.make("b")
    runs.change(other, "student", lambda manifest: manifest["summary"]["decoding"]["sums"].update(items=3))
    assert "sums" in runs.compare("a", "b")[0].suites


def test_items_that_were_asked_otherwise_are_left_out_in_every_arm(runs: Runs) -> None:
    runs.make("a")
    other = runs.make("b")
    runs.items(other, "student", lambda lines: lines[0].update(asked="another system prompt"))
    runs.items(other, "student", lambda lines: lines.pop())
    comparison, found = runs.compare("a", "b")
    assert {score.n for score in comparison.metrics["heldout_teacher.loss"].arms.values()} == {39}
    assert "heldout_teacher: 39 of a's 40 items were asked of all alike." in comparison.notes
    assert len(found.shared("sums")) == 39 and len(found.shared("heldout_real")) == 40


def test_a_run_that_shares_no_item_is_refused_with_the_reasons(runs: Runs) -> None:
    def other(lines: Lines) -> None:
        for line in lines:
            line["reference"] += "!"

    runs.make("a")
    folder = runs.make("b")
    for arm in ("student", "base", "teacher"):
        runs.items(folder, arm, other)
    with pytest.raises(
        CompareError, match=r"nothing to compare\n  heldout_teacher, heldout_real, sums left out: b was"
    ) as error:
        runs.compare("a", "b")
    assert "same held-out rows" in str(error.value.hint)


def test_a_suite_that_only_another_run_has_is_named(runs: Runs) -> None:
    first = runs.make("a")
    for arm in ("student", "base", "teacher"):
        runs.items(first, arm, lambda lines: lines.__delitem__(slice(80, None)))
    runs.make("b")
    comparison, _ = runs.compare("a", "b")
    assert "sums left out: a, which was named first, was not asked it." in comparison.notes
    assert "sums" in runs.compare("b")[0].suites
