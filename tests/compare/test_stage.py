"""From the folders of a run to its three files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distill.compare import stage
from distill.context import Context, Resolved
from distill.errors import CompareError
from distill.terms.named import Named
from tests.compare.conftest import REAL_AT, item_lines, write_arm

Make = Callable[..., dict[str, Path]]
SPEC = stage.Spec(name="quickstart", use="research", primary="heldout_teacher.loss", seed=17)
LOSS = {"teacher": 1.4, "base": 2.6, "student": 2.0}


def compare(inputs: dict[str, Path], out: Path, spec: stage.Spec = SPEC) -> tuple[dict[str, Any], dict[str, Any]]:
    out.mkdir(exist_ok=True)
    summary = stage.run(spec, inputs, out, Context(cache=out, resolved={}))
    return json.loads((out / "report.json").read_text()), summary


def test_report_has_what_the_contract_names(make_run: Make, tmp_path: Path) -> None:
    report, summary = compare(make_run(), tmp_path / "out")
    assert list(report["arms"]) == ["teacher", "base", "student"]
    loss = report["metrics"]["heldout_teacher.loss"]
    assert next(iter(report["metrics"])) == "heldout_teacher.loss"
    assert loss["direction"] == "lower" and loss["primary"] and loss["unit"] == "nats/token"
    assert {"mean", "ci95", "n"} == set(loss["arms"]["student"])
    assert {"a", "b", "difference", "ci95", "p", "detectable", "needed", "verdict", "n", "p_holm", "test"} == set(
        loss["paired"][0]
    )
    assert 0.45 < loss["gap_recovered"]["value"] < 0.55 and loss["gap_recovered"]["undefined"] is None
    assert [metric["primary"] for metric in report["metrics"].values()].count(True) == 1
    assert report["data"]["real_fraction"] == 0.25 and report["data"]["train_rows"] == 320
    assert report["terms"]["verdict"] == "ok" and report["terms"]["conditions"]
    assert report["cost"]["seconds"] > 100 and report["cost"]["stages"]["generate"]["tokens"] == 27_500
    assert report["cost"]["peak_memory_bytes"] == 3_100_000_000
    assert report["environment"]["libraries"]["torch"]
    assert summary["counts"] == {"requested": 360, "scored": 360, "failed": 0}
    assert summary["headline"] == report["headline"]
    assert summary["primary"] == {key: loss["gap_recovered"][key] for key in ("value", "ci95")}


def test_counts_of_the_report_add_up(make_run: Make, tmp_path: Path) -> None:
    data = compare(make_run(), tmp_path / "out")[0]["data"]
    assert data["requested"] == data["kept"] + sum(data["dropped"].values()) + data["failed"] + data["missing"]


def test_the_same_run_gives_the_same_report(make_run: Make, tmp_path: Path) -> None:
    inputs = make_run()
    backwards = dict(reversed(inputs.items()))
    first, second = compare(inputs, tmp_path / "a")[0], compare(backwards, tmp_path / "b")[0]
    for report in (first, second):
        report.pop("cost")
        report["notes"] = sorted(report["notes"])
    assert first == second


def test_means_subtract_to_the_difference_beside_them(make_run: Make, tmp_path: Path) -> None:
    for metric in compare(make_run(), tmp_path / "out")[0]["metrics"].values():
        for pair in metric["paired"]:
            means = [metric["arms"][pair[arm]]["mean"] for arm in ("a", "b")]
            assert pair["difference"] == pytest.approx(means[0] - means[1])


@pytest.mark.parametrize("absent", ["teacher", "base", "student"])
def test_a_missing_arm_still_makes_a_report(make_run: Make, tmp_path: Path, absent: str) -> None:
    arms = {name: loss for name, loss in LOSS.items() if name != absent}
    report, summary = compare(make_run(arms=arms), tmp_path / "out")
    gap = report["metrics"]["heldout_teacher.loss"]["gap_recovered"]
    assert gap["value"] is None and absent in gap["undefined"]
    assert "undefined" in summary["headline"] and absent in summary["headline"]
    assert any(absent in note for note in report["notes"])
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
    assert (tmp_path / "out" / "rows.html").stat().st_size > 10_000


def test_checkpoints_are_arms_with_their_own_gap(make_run: Make, tmp_path: Path) -> None:
    arms = {**LOSS, "student@100": 2.1, "student@20": 2.4}
    report, _ = compare(make_run(arms=arms), tmp_path / "out")
    assert list(report["arms"]) == ["teacher", "base", "student", "student@20", "student@100"]
    steps = report["metrics"]["heldout_teacher.loss"]["checkpoints"]
    assert 0 < steps["student@20"]["value"] < steps["student@100"]["value"] < 0.5
    pairs = {(pair["a"], pair["b"]) for pair in report["metrics"]["heldout_teacher.loss"]["paired"]}
    assert {("student@20", "base"), ("student@20", "student")} <= pairs
    assert "trained for 20 steps" in report["arms"]["student@20"]["origin"]


def test_unknown_primary_names_those_that_are_there(make_run: Make, tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"primary": "heldout_teacher.los"})
    with pytest.raises(CompareError, match=r"heldout_teacher\.los'[\s\S]*heldout_teacher\.loss"):
        compare(make_run(), tmp_path / "out", spec)


def test_headline_says_what_the_interval_shows(make_run: Make, tmp_path: Path) -> None:
    headline = compare(make_run(), tmp_path / "out")[1]["headline"]
    assert headline.startswith("The student recovered 51% [") and "heldout_teacher.loss" in headline


def test_notes_of_the_stages_before_are_passed_on(make_run: Make, tmp_path: Path) -> None:
    assert "generate: 3 answers came from the store." in compare(make_run(), tmp_path / "out")[0]["notes"]


def test_an_engine_without_a_vocabulary_has_no_other_one(make_run: Make, tmp_path: Path) -> None:
    inputs = make_run()
    lines = item_lines("teacher", 1.4, 60)
    for tokenizer, count in (("another", 2), (None, 0)):
        write_arm(inputs["evaluate/teacher"], "teacher", lines, tokenizer=tokenizer, template=tokenizer)
        notes = compare(inputs, tmp_path / "out")[0]["notes"]
        assert sum("different vocabularies" in note for note in notes) == count


def test_other_ranks_write_nothing(make_run: Make, tmp_path: Path) -> None:
    from distill.context import Ranks

    out = tmp_path / "out"
    out.mkdir()
    stage.run(SPEC, make_run(), out, Context(cache=out, resolved={}, ranks=Ranks(1, 2)))
    assert not list(out.iterdir())


def test_what_a_card_says_against_the_recipe_is_in_the_report(make_run: Make, tmp_path: Path) -> None:
    """Rows carry what the recipe states; what the data's own card says only its reference leads to."""
    ref, _, revision = REAL_AT.rpartition("@")
    stated = Named(role="real data", ref=ref, stated=("bsd-3-clause",))
    spec = SPEC.model_copy(update={"named": (stated,), "use": "commercial"})
    found = Resolved(ref, tmp_path, revision, ("bsd-3-clause",), ("cc-by-nc-4.0",))
    (tmp_path / "out").mkdir()
    stage.run(spec, make_run(), tmp_path / "out", Context(cache=tmp_path, resolved={ref: found}))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["terms"]["verdict"] == "review"
    assert "its own card or package declares cc-by-nc-4.0" in (tmp_path / "out" / "report.md").read_text()
