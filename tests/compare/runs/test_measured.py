"""Differences between runs: those of the statistics, on the same items, with the same words as the report's."""

from __future__ import annotations

import json
import shutil

import pytest

from distill.compare.measure import scores_of
from distill.compare.runs.comparison import Comparison
from distill.compare.runs.table import table
from distill.statistics.panel import Panel
from tests.compare.conftest import LOSS
from tests.compare.runs.conftest import Lines, Runs

PRIMARY = "heldout_teacher.loss"


def test_differences_are_those_of_the_paired_statistics(runs: Runs) -> None:
    runs.make("a")
    runs.make("b", {"student": 1.8})
    comparison, found = runs.compare("a", "b")
    pair = next(pair for pair in comparison.metrics[PRIMARY].paired if (pair.a, pair.b) == ("b", "a"))
    keys = sorted(found.shared("heldout_teacher"))
    panel = Panel({entry.label: scores_of(entry.arm, "loss", keys) for entry in found.chosen}, seed=17)
    (expected,) = panel.paired([("b", "a")], "lower")
    assert (pair.difference, pair.p, pair.n) == (expected.difference.value, expected.p, 40)
    assert pair.verdict == expected.verdict == "better"
    assert comparison.headline.startswith(f"b is better than a in {PRIMARY}: ")


def test_every_arm_stands_against_those_before_it_its_base_and_its_teacher(runs: Runs) -> None:
    runs.make("a", {"student@10": 2.4})
    runs.make("b")
    comparison, _ = runs.compare("a", "b", "a@10")
    pairs = [(pair.a, pair.b) for pair in comparison.metrics[PRIMARY].paired]
    assert comparison.chosen == ["a", "b", "a@10"]
    assert pairs[:3] == [("b", "a"), ("a@10", "a"), ("a@10", "b")]
    assert set(pairs[3:]) == {(arm, other) for arm in ("a", "b", "a@10") for other in ("base", "teacher")}
    assert "is better than a@10" in comparison.headline and "cannot be told apart" in comparison.headline


def test_right_and_wrong_are_counted_exactly(runs: Runs) -> None:
    runs.make("a")
    runs.make("b")
    metrics = runs.compare("a", "b")[0].metrics
    assert {pair.test for pair in metrics["sums.accuracy"].paired} == {"mcnemar"}
    assert {pair.test for pair in metrics[PRIMARY].paired} == {"swap"}


def test_several_training_seeds_of_a_run_are_one_arm(runs: Runs) -> None:
    runs.make("a", {"student#2": 2.2, "student#3": 2.1})
    runs.make("b")
    comparison, found = runs.compare("a", "b", "a:student#2")
    assert comparison.chosen == ["a", "b", "a:student#2"]
    assert [comparison.arms[label].seeds for label in comparison.chosen] == [3, 1, 1]
    loss = comparison.metrics[PRIMARY]
    keys = sorted(found.shared("heldout_teacher"))
    own = [scores_of(arm, "loss", keys) for arm in found.chosen[0].arms]
    assert loss.arms["a"].mean == pytest.approx(Panel({"a": own}).value("a")) and len(own) == 3
    assert next(pair.test for pair in loss.paired if (pair.a, pair.b) == ("b", "a")) == "seeds"
    assert any(note.startswith("a is the mean of 3 training seeds") for note in comparison.notes)


def test_the_primary_metric_comes_first_and_right_ones_are_marked(runs: Runs) -> None:
    runs.make("a")
    comparison, _ = runs.compare("a")
    assert next(iter(comparison.metrics)) == comparison.primary == PRIMARY
    assert [name for name, metric in comparison.metrics.items() if metric.right] == ["sums.accuracy"]
    assert comparison.headline == table(comparison).splitlines()[-1]
    assert comparison.headline.startswith("a recovered 49% [")


def test_curves_go_from_the_base_over_evaluated_checkpoints_to_the_student(runs: Runs) -> None:
    runs.make("a", {"student@10": 2.4, "student@20": 2.2})
    runs.make("b")
    comparison, _ = runs.compare("a", "b")
    curve = comparison.checkpoints[PRIMARY]
    assert list(curve) == ["a"] and list(curve["a"]) == [0, 10, 20, 40]
    assert curve["a"][40].mean == comparison.metrics[PRIMARY].arms["a"].mean
    assert curve["a"][0].mean == comparison.metrics[PRIMARY].arms["base"].mean
    assert {run: points[-1].step for run, points in comparison.training["train"].items()} == {"a": 40, "b": 40}


def test_a_loss_that_is_no_number_is_left_out_of_every_arm(runs: Runs) -> None:
    def overflow(lines: Lines) -> None:
        lines[0]["metrics"]["loss"]["value"] = float("nan")

    runs.make("a")
    runs.items(runs.make("b"), "student", overflow)
    comparison, _ = runs.compare("a", "b")
    loss = comparison.metrics[PRIMARY]
    assert loss.n == 39 and loss.left_out == 1
    assert "NaN" not in comparison.to_json()


def test_two_vocabularies_are_compared_per_byte_only(runs: Runs) -> None:
    runs.make("a")
    other = runs.make("b")
    for arm in ("student", "base"):
        runs.change(other, arm, lambda manifest: manifest["summary"].update(tokenizer="0000", template="1111"))
    comparison, _ = runs.compare("a", "b")
    among = [(pair.a, pair.b) for pair in comparison.metrics[PRIMARY].paired]
    assert ("b", "a") not in among and ("b", "b:base") in among
    assert comparison.metrics[PRIMARY].gap_recovered["b"].value is None
    assert comparison.metrics["heldout_teacher.bits_per_byte"].gap_recovered["b"].value is not None
    assert "different vocabularies" in comparison.headline


@pytest.mark.parametrize("there", [True, False])
def test_what_is_measured_against_another_teacher_is_not_compared(runs: Runs, there: bool) -> None:
    runs.make("a")
    other = runs.make("b", {"student": 1.8})
    if there:
        runs.change(other, "teacher", lambda manifest: manifest["summary"].update(model="another/teacher@1"))
    else:
        shutil.rmtree(other / "5-evaluate-teacher")
    comparison, _ = runs.compare("a", "b")
    assert list(comparison.suites["heldout_real"]) == ["loss", "bits_per_byte", "chrf"]
    why = "a's is a:teacher, b's is b:teacher" if there else "a's is teacher, b's is not there"
    why = f"it is measured against the teacher of each run, and these are not the same: {why}."
    for metric in ("agreement", "kl"):
        assert f"heldout_real.{metric} is left out: {why}" in comparison.notes
    assert "agreement" in runs.compare("b", "b:base")[0].suites["heldout_real"], "within a run there is one teacher"


def test_arms_of_different_precision_stand_side_by_side_with_a_word(runs: Runs) -> None:
    for name in ("a", "b"):
        run = runs.make(name)
        for arm in LOSS:
            runs.change(run, arm, lambda manifest: manifest["summary"].update(dtype="bfloat16"))
    assert not any("rounding" in note for note in runs.compare("a", "b")[0].notes)
    runs.change(run, "student", lambda manifest: manifest["summary"].update(dtype="float32"))
    said = "Evaluated in bfloat16 teacher, base and a; in float32 b: between these, a part of each difference may be rounding"
    assert any(note.startswith(said) for note in runs.compare("a", "b")[0].notes)


def test_a_metric_that_means_something_else_elsewhere_is_left_out(runs: Runs) -> None:
    runs.make("a")
    other = runs.make("b")
    runs.change(other, "student", lambda one: one["summary"]["metrics"]["sums.accuracy"].update(direction="lower"))
    comparison, _ = runs.compare("a", "b")
    assert "sums" not in comparison.suites
    assert "sums.accuracy is left out: it is something else in b." in comparison.notes


def test_the_table_is_aligned_and_says_who_is_better(runs: Runs) -> None:
    runs.make("a")
    runs.make("b", {"student": 1.8})
    lines = table(runs.compare("a", "b")[0]).splitlines()
    assert lines[0].split() == ["items", "teacher", "base", "a", "b"]
    assert len({len(line) for line in lines if "±" in line and "Mean" not in line}) == 1
    differences = [line for line in lines if line.startswith("  b − a")]
    assert len(differences) == 11 and differences[0].endswith("b better")
    assert len({len(line) for line in differences}) == 1


def test_the_json_is_the_comparison_and_the_same_every_time(runs: Runs) -> None:
    runs.make("a", {"student@10": 2.4})
    runs.make("b")
    text = runs.compare("a", "b")[0].to_json()
    assert Comparison.model_validate_json(text).to_json() == text == runs.compare("a", "b")[0].to_json()
    assert json.loads(text)["metrics"][PRIMARY]["arms"]["a"]["n"] == 40


@pytest.mark.parametrize("left", [1, 0])
def test_a_metric_with_too_few_items_is_left_out_with_a_note(runs: Runs, left: int) -> None:
    def few(lines: Lines) -> None:
        for line in lines[80 + left :]:
            line["metrics"] = {}

    runs.make("a")
    runs.items(runs.make("b"), "student", few)
    comparison, _ = runs.compare("a", "b")
    if left:
        assert any(note.startswith("sums.accuracy is left out: ") for note in comparison.notes)
        assert "sums" not in comparison.suites
    else:  # nobody's fault: that arm did not measure it, and the others are compared
        assert "b" not in comparison.metrics["sums.accuracy"].arms
