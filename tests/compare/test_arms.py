"""Arms that must not be compared are refused, with both values; what failed is counted and compared nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distill.compare.arms import read_arms, texts
from distill.compare.measure import measure
from distill.errors import CompareError

Make = Callable[..., dict[str, Path]]
PRIMARY = "heldout_teacher.loss"


def change_summary(folder: Path, **changed: Any) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["summary"].update(changed)
    path.write_text(json.dumps(manifest))


def change_items(folder: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    path = folder / "items.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_another_template_is_refused(make_run: Make) -> None:
    inputs = make_run()
    change_summary(inputs["evaluate/student"], template="ffff")
    with pytest.raises(CompareError, match=r"template a1b2c3d4e5f60718 .*student with ffff"):
        read_arms(inputs)


def test_another_decoding_is_refused(make_run: Make) -> None:
    inputs = make_run()
    change_summary(inputs["evaluate/base"], decoding={"temperature": 0.7})
    with pytest.raises(CompareError, match=r"max_new_tokens.* base with \{'temperature': 0.7\}"):
        read_arms(inputs)


def test_another_number_of_items_is_refused(make_run: Make) -> None:
    inputs = make_run()
    change_items(inputs["evaluate/student"], lambda lines: lines.pop())
    with pytest.raises(CompareError, match=r"120 items and student 119: 1 .such as .* only in teacher, none only"):
        read_arms(inputs)


def test_another_reference_is_refused(make_run: Make) -> None:
    inputs = make_run()
    change_items(inputs["evaluate/base"], lambda lines: lines[3].update(reference="something else"))
    with pytest.raises(CompareError, match=r"1 .such as .* another question or reference in teacher than in base"):
        read_arms(inputs)


def test_another_treatment_of_thinking_is_refused(make_run: Make) -> None:
    inputs = make_run()
    summary = json.loads((inputs["evaluate/base"] / "manifest.json").read_text())["summary"]
    change_summary(inputs["evaluate/base"], decoding={**summary["decoding"], "thinking": "kept"})
    with pytest.raises(
        CompareError, match=r"treats thinking with \{'thinking': 'apart'\} and base with \{'thinking': 'kept'\}"
    ):
        read_arms(inputs)


def test_another_length_of_answers_is_refused_and_nothing_else_is_named(make_run: Make) -> None:
    inputs = make_run()
    summary = json.loads((inputs["evaluate/student"] / "manifest.json").read_text())["summary"]
    how = {**summary["decoding"]["heldout_real"], "max_new_tokens": 48}
    change_summary(inputs["evaluate/student"], decoding={**summary["decoding"], "heldout_real": how})
    with pytest.raises(CompareError, match=r"'max_new_tokens': 64.* student with .*'max_new_tokens': 48") as error:
        read_arms(inputs)
    assert "thinking" not in str(error.value)


def test_another_system_prompt_is_refused(make_run: Make) -> None:
    """It is no part of the question that a reader sees, but of what was asked."""
    inputs = make_run()
    change_items(inputs["evaluate/base"], lambda lines: [line.update(asked=f"{line['asked']}s") for line in lines])
    with pytest.raises(
        CompareError, match=r"120 .such as .* another system prompt, instruction, examples or question in"
    ):
        read_arms(inputs)


def test_an_item_that_is_there_twice_is_refused(make_run: Make) -> None:
    inputs = make_run()
    change_items(inputs["evaluate/base"], lambda lines: lines.append(lines[0]))
    with pytest.raises(CompareError, match="twice"):
        read_arms(inputs)


def test_a_damaged_line_is_named(make_run: Make) -> None:
    inputs = make_run()
    with (inputs["evaluate/base"] / "items.jsonl").open("a") as file:
        file.write('{"suite": "heldout_te')
    with pytest.raises(CompareError, match=r"items\.jsonl:121"):
        read_arms(inputs)


def test_no_arm_and_no_manifest_are_errors(make_run: Make) -> None:
    inputs = make_run()
    with pytest.raises(CompareError, match="no evaluated arm"):
        read_arms({"mix": inputs["mix"]})
    (inputs["evaluate/base"] / "manifest.json").unlink()
    with pytest.raises(CompareError, match="manifest"):
        read_arms(inputs)


def test_failed_items_are_left_out_of_every_arm_and_counted(make_run: Make) -> None:
    inputs = make_run()
    change_items(inputs["evaluate/base"], lambda lines: lines[0].update(metrics={}, error="too long"))
    metrics, _ = measure(read_arms(inputs), PRIMARY, seed=0)
    assert {score.n for score in metrics[PRIMARY].arms.values()} == {59}
    assert metrics[PRIMARY].left_out == 1 and metrics["heldout_real.loss"].left_out == 0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_a_failure_of_that_item(make_run: Make, bad: float) -> None:
    inputs = make_run()
    change_items(inputs["evaluate/student"], lambda lines: lines[0]["metrics"]["loss"].update(value=bad))
    metrics, _ = measure(read_arms(inputs), PRIMARY, seed=0)
    assert metrics[PRIMARY].left_out == 1 and metrics["heldout_teacher.kl"].left_out == 0


def broken(inputs: dict[str, Path], arm: str) -> None:
    """An arm all of whose losses are no numbers, as evaluation leaves it."""

    def silence(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            line.update(metrics={"chrf": {"value": 0.0, "weight": 1}}, error="loss is nan")

    change_items(inputs[f"evaluate/{arm}"], silence)


def test_a_student_that_diverged_has_no_result_and_the_report_says_so(make_run: Make) -> None:
    inputs = make_run()
    broken(inputs, "student")
    metrics, _ = measure(read_arms(inputs), PRIMARY, seed=0)
    assert metrics[PRIMARY].gap_recovered.undefined == "there is no score of student"
    assert list(metrics[PRIMARY].arms) == ["teacher", "base"] and metrics[PRIMARY].left_out == 0


def test_where_every_arm_diverged_the_metrics_that_are_left_are_named(make_run: Make) -> None:
    inputs = make_run()
    for arm in ("teacher", "base", "student"):
        broken(inputs, arm)
    with pytest.raises(CompareError, match=r"there are: heldout_real\.chrf, heldout_teacher\.chrf"):
        measure(read_arms(inputs), PRIMARY, seed=0)


def test_a_training_seed_that_diverged_is_left_out_with_a_warning(make_run: Make) -> None:
    inputs = make_run({"teacher": 1.4, "base": 2.6, "student": 2.0, "student#2": 2.1, "student#3": 1.9})
    broken(inputs, "student#2")
    metrics, notes = measure(read_arms(inputs), PRIMARY, seed=0)
    assert list(metrics[PRIMARY].seeds) == ["student", "student#3"]
    assert any("student#2 has no number at all" in note and PRIMARY in note for note in notes)


def test_means_are_weighted_by_tokens(make_run: Make) -> None:
    inputs = make_run()
    lines = [json.loads(line) for line in (inputs["evaluate/base"] / "items.jsonl").read_text().splitlines()]
    scores = [line["metrics"]["loss"] for line in lines if line["suite"] == "heldout_teacher"]
    expected = sum(s["value"] * s["weight"] for s in scores) / sum(s["weight"] for s in scores)
    metrics, _ = measure(read_arms(inputs), PRIMARY, seed=0)
    assert metrics[PRIMARY].arms["base"].mean == pytest.approx(expected)


def another_vocabulary(inputs: dict[str, Path]) -> None:
    change_summary(inputs["evaluate/teacher"], tokenizer="0000", template="1111")


def test_two_vocabularies_are_compared_per_byte_only(make_run: Make) -> None:
    inputs = make_run()
    another_vocabulary(inputs)
    metrics, _ = measure(read_arms(inputs), PRIMARY, seed=0)
    loss, per_byte = metrics[PRIMARY], metrics["heldout_teacher.bits_per_byte"]
    assert loss.gap_recovered.value is None and "bits_per_byte" in str(loss.gap_recovered.undefined)
    assert [(pair.a, pair.b) for pair in loss.paired] == [("student", "base")]
    assert per_byte.gap_recovered.value is not None and len(per_byte.paired) == 3


def test_an_engine_without_probabilities_has_what_it_has(make_run: Make) -> None:
    inputs = make_run()
    change_summary(inputs["evaluate/teacher"], tokenizer=None, template=None)

    def mute(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            line.update(
                metrics={name: line["metrics"][name] for name in ("chrf",) if name in line["metrics"]}, error="mute"
            )

    change_items(inputs["evaluate/teacher"], mute)
    metrics, _ = measure(read_arms(inputs), PRIMARY, seed=0)
    assert list(metrics[PRIMARY].arms) == ["base", "student"] and metrics[PRIMARY].n == 60
    assert metrics["heldout_teacher.chrf"].gap_recovered.value is not None


def test_a_metric_of_one_prompt_is_left_out_with_a_note(make_run: Make) -> None:
    metrics, notes = measure(read_arms(make_run(count=2)), PRIMARY, seed=0)
    assert PRIMARY in metrics and "heldout_teacher.chrf" not in metrics
    assert any("heldout_teacher.chrf" in note for note in notes)


def test_texts_are_read_only_for_the_items_asked_for(make_run: Make) -> None:
    arm = read_arms(make_run())[0]
    wanted = set(list(arm.items)[:2])
    assert set(texts(arm, wanted)) == wanted


def test_students_of_other_seeds_and_of_real_rows_alone_have_their_places_and_pairs(make_run: Make) -> None:
    others = {"student@20": 2.2, "student#10": 2.0, "real_only": 2.3, "student#2": 2.0, "other": 2.1}
    inputs = make_run(arms={"teacher": 1.4, "base": 2.6, "student": 2.0, **others})
    arms = read_arms(inputs)
    own = ["teacher", "base", "student", "student#2", "student#10", "real_only"]
    assert [arm.name for arm in arms] == [*own, "other", "student@20"]
    paired = {(pair.a, pair.b): pair for pair in measure(arms, PRIMARY, 3)[0][PRIMARY].paired}
    assert paired["student", "real_only"].verdict == "better", "what the teacher added"
    assert ("real_only", "base") in paired and ("real_only", "student") not in paired
