"""Training seeds, Holm, forgetting, retention, calibration and price, from the folders of a run."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from distill.compare import html, markdown, stage, terminal
from distill.compare.arms import read_arms
from distill.compare.report import Report
from distill.statistics.forgetting import Forgetting
from distill.suites.metrics import Metric
from tests.compare.conftest import default_ledger, manifest, write_run

Make = Callable[..., dict[str, Path]]
PRIMARY = "heldout_teacher.loss"
LOSS = {"teacher": 1.4, "base": 2.6, "student": 2.0}
SEEDS = {**LOSS, "student#2": 2.15, "student#3": 1.9}
RIGHT = {"teacher": 0.8, "base": 0.55, "student": 0.7}
ACCURACY = Metric("higher", "share", "Share of questions whose likeliest option is the right one.", True, True)


def build(inputs: dict[str, Path], **changed: Any) -> Report:
    spec = {"name": "quickstart", "use": "research", "primary": PRIMARY, "seed": 17, **changed}
    return stage.build(stage.Spec(**spec), inputs)


def add_choices(
    inputs: dict[str, Path], count: int = 200, right: dict[str, float] = RIGHT, metric: Metric = ACCURACY
) -> dict[str, Path]:
    """A suite of multiple choice in every arm; an item's difficulty is shared, and the student is too sure of itself."""
    for arm, share in right.items():
        folder, shared, own = inputs[f"evaluate/{arm}"], random.Random(3), random.Random(arm)
        with (folder / "items.jsonl").open("a", encoding="utf-8") as file:
            for index in range(count):
                hit = 0.7 * shared.random() + 0.3 * own.random() < share
                sure = min(1.0, max(0.25, own.gauss(0.95 if arm == "student" else share, 0.05)))
                line = {
                    "suite": "arc", "item": f"a{index:05}", "root": f"a{index:05}", "asked": f"{index:05}", "question": "Which?",
                    "reference": "B", "answer": None, "answers": [], "found": "B" if hit else "C", "confidence": sure,
                    "metrics": {"accuracy": {"value": float(hit), "weight": 1}}, "error": None,
                }  # fmt: skip
                file.write(json.dumps(line) + "\n")
        path = folder / "manifest.json"
        found = json.loads(path.read_text())
        found["summary"]["metrics"]["arc.accuracy"] = asdict(metric)
        path.write_text(json.dumps(found))
    return inputs


def test_several_seeds_are_one_student(make_run: Make, tmp_path: Path) -> None:
    report = build(make_run(SEEDS))
    loss = report.metrics[PRIMARY]
    assert report.seeds == 3 and list(report.arms) == ["teacher", "base", "student", "student#2", "student#3"]
    assert list(loss.arms) == report.shown == ["teacher", "base", "student"]
    assert list(loss.seeds) == ["student", "student#2", "student#3"]
    assert loss.arms["student"].mean == pytest.approx(sum(one.mean for one in loss.seeds.values()) / 3)
    against = {(pair.a, pair.b): pair for pair in loss.paired}
    assert list(against) == [("student", "base"), ("student", "teacher"), ("base", "teacher")]
    assert against["student", "base"].test == "seeds" and against["base", "teacher"].test == "swap"
    assert any("3 training seeds" in note for note in report.notes)
    assert "mean of 3 training seeds" in report.headline
    alone = build(write_run(tmp_path / "other", LOSS, 60, default_ledger(), 40))
    assert alone.seeds == 1 and not alone.metrics[PRIMARY].seeds and "seeds" not in alone.headline
    assert any(note.startswith("One training seed") for note in alone.notes)

    def width(one: Report) -> float:
        ends = one.metrics[PRIMARY].gap_recovered.ci95
        assert ends is not None
        return ends[1] - ends[0]

    assert width(report) > 2 * width(alone), "seeds differ more than prompts"


def test_arms_are_in_the_order_of_seeds_and_steps(make_run: Make) -> None:
    arms = {**LOSS, "student@100": 2.1, "student#10": 2.0, "student@20": 2.3, "student#2": 2.1, "real_only": 2.4}
    names = [arm.name for arm in read_arms(make_run(arms))]
    assert names == ["teacher", "base", "student", "student#2", "student#10", "real_only", "student@20", "student@100"]


def test_the_primary_metric_is_tested_alone_and_the_other_suites_by_holm(make_run: Make) -> None:
    report = build(add_choices(make_run()))
    found = {name: pair for name, pair in report.against_base.items() if pair.p_holm is not None}
    assert list(found) == ["heldout_real.loss", "arc.accuracy"], "the first metric of each"
    first, second = sorted(found.values(), key=lambda pair: pair.p)
    assert first.p_holm == pytest.approx(2 * first.p) and second.p_holm == pytest.approx(max(second.p, 2 * first.p))
    others = [pair for metric in report.metrics.values() for pair in metric.paired if pair.b == "teacher"]
    assert all(pair.p_holm is None for pair in others)
    assert any("the other 2 suites" in note and "Holm" in note for note in report.notes)


def test_what_holm_does_not_allow_is_not_said(make_run: Make) -> None:
    """Differences that would be called better alone, and are two of two."""
    from distill.compare.measure import _adjusted

    report = build(add_choices(make_run()))
    metrics = {}
    for name, metric in report.metrics.items():
        pairs = [pair.model_copy(update={"p": 0.04, "verdict": "better"}) for pair in metric.paired]
        metrics[name] = metric.model_copy(update={"paired": tuple(pairs)})
    verdicts = {name: metric.paired[0].verdict for name, metric in _adjusted(metrics).items()}
    assert verdicts[PRIMARY] == "better"
    assert verdicts["heldout_real.loss"] == verdicts["arc.accuracy"] == "cannot tell"


def test_right_and_wrong_answers_are_tested_exactly(make_run: Make) -> None:
    metric = build(add_choices(make_run())).metrics["arc.accuracy"]
    assert {pair.test for pair in metric.paired} == {"mcnemar"}
    assert metric.arms["student"].n == 200 and metric.gap_recovered.value is not None


def test_retention_is_of_what_counts_from_zero(make_run: Make) -> None:
    metrics = build(add_choices(make_run())).metrics
    having = {name for name, metric in metrics.items() if metric.retention is not None}
    assert having == {"arc.accuracy", "heldout_teacher.chrf", "heldout_real.chrf"}
    accuracy = metrics["arc.accuracy"]
    assert (
        accuracy.retention is not None and accuracy.retention.value is not None and accuracy.retention.ci95 is not None
    )
    assert accuracy.retention.value == pytest.approx(accuracy.arms["student"].mean / accuracy.arms["teacher"].mean)
    assert accuracy.retention.ci95[0] < accuracy.retention.value < accuracy.retention.ci95[1]


def test_what_should_not_be_lost_is_told(make_run: Make) -> None:
    names = ("arc.accuracy", "heldout_real.loss", "heldout_real.los")
    report = build(add_choices(make_run()), forgetting=Forgetting(metrics=names, margin=0.02))
    kept = {one.metric: one for one in report.forgetting}
    assert list(kept) == ["arc.accuracy", "heldout_real.loss"]
    assert {one.verdict for one in kept.values()} == {"not worse"}
    loss = report.metrics["heldout_real.loss"].paired[0]
    assert kept["heldout_real.loss"].gain == pytest.approx(-loss.difference), "a lower loss is a gain"
    assert kept["arc.accuracy"].bounds[0] > -0.02
    assert any("heldout_real.los was forgotten is not known" in note for note in report.notes)


def test_a_student_that_lost_something_is_told_from_one_that_may_have(make_run: Make) -> None:
    inputs = add_choices(make_run(), right={"teacher": 0.8, "base": 0.7, "student": 0.5})
    report = build(inputs, forgetting=Forgetting(metrics=("arc.accuracy",), margin=0.05))
    assert report.forgetting[0].verdict == "worse"
    near = 0.005 - report.forgetting[0].gain
    one = build(inputs, forgetting=Forgetting(metrics=("arc.accuracy",), margin=near)).forgetting[0]
    assert one.verdict == "cannot tell" and one.needed is not None and one.needed > one.n
    share = build(inputs, forgetting=Forgetting(metrics=("arc.accuracy",), margin=0.1, relative=True)).forgetting[0]
    assert share.margin == pytest.approx(0.1 * report.metrics["arc.accuracy"].arms["base"].mean) and share.relative


def test_calibration_is_of_suites_that_are_chosen(make_run: Make, tmp_path: Path) -> None:
    report = build(add_choices(make_run()))
    assert list(report.calibration) == ["arc"]
    found = report.calibration["arc"]
    assert list(found.arms) == ["teacher", "base", "student"]
    student = found.arms["student"]
    assert student.confidence > student.accuracy + 0.1 and student.error > 0.1
    assert student.ci95[0] > 0 and sum(one.n for one in student.bins) == student.n == 200
    assert [(pair.a, pair.b) for pair in found.paired] == [("student", "base"), ("student", "teacher")]
    assert found.paired[0].ci95[0] > 0, "surely worse calibrated than the base"
    assert not build(write_run(tmp_path / "other", LOSS, 60, default_ledger(), 40)).calibration


def test_choices_of_which_nobody_knows_whether_they_were_right_are_not_silent(make_run: Make) -> None:
    report = build(add_choices(make_run(), metric=Metric("higher", "share", "Chosen by bytes.", right=True)))
    assert not report.calibration
    assert any("The calibration of arc is not reported: none of its metrics" in note for note in report.notes)


def test_the_price_of_the_gap(make_run: Make) -> None:
    inputs = make_run()
    price = build(inputs).price
    assert price is not None and price.device == "processor"
    assert price.stages == ("filter", "generate", "mix", "split", "train")
    assert price.hours == pytest.approx((0.4 + 141.0 + 1.2 + 0.3 + 133.0) / 3600)
    gap = build(inputs).metrics[PRIMARY].gap_recovered
    assert gap.value is not None and gap.ci95 is not None and price.gap_per_hour_ci95 is not None
    assert price.gap_per_hour == pytest.approx(gap.value / price.hours)
    assert price.gap_per_hour_ci95 == pytest.approx(tuple(end / price.hours for end in gap.ci95))
    assert price.gap_per_money is None and price.money == 0


def test_gpus_and_money_are_counted_where_they_were_spent(make_run: Make) -> None:
    inputs = make_run()
    for node, seconds, devices, charged in (("generate", 60.0, 0, 1.5), ("train", 900.0, 4, 0.0)):
        manifest(inputs[node], {"counts": {}, "money": charged}, seconds)
        path = inputs[node] / "manifest.json"
        found = json.loads(path.read_text())
        found["cost"] |= {"accelerators": devices, "processes": max(1, devices)}
        path.write_text(json.dumps(found))
    inputs["train#2"], inputs["heldout"] = inputs["train"], inputs["generate"]
    price = build(inputs).price
    assert price is not None and (price.device, price.hours, price.money) == ("GPU", 1.0, 1.5)
    assert price.gap_per_money is not None and price.gap_per_hour is not None
    assert price.gap_per_money == pytest.approx(price.gap_per_hour / 1.5)
    del inputs["train"], inputs["train#2"]
    assert build(inputs).price is None


@pytest.fixture
def full(make_run: Make) -> Report:
    inputs = add_choices(make_run(SEEDS), right={**RIGHT, "student#2": 0.66, "student#3": 0.72})
    names = ("arc.accuracy", "heldout_real.loss")
    return build(inputs, forgetting=Forgetting(metrics=names, margin=0.02))


def test_all_of_it_is_shown_everywhere(full: Report) -> None:
    page, text = html.render(full), markdown.render(full)
    shown = terminal.table(json.loads(full.to_json()))
    for place in (page, text, shown):
        assert "3 training seeds" in place
        assert "arc.accuracy" in place and "not worse" in place
    for place in (page, text):
        assert "Holm" in place and "etention" in place and "alibration" in place
    assert "student#2" in page and "McNemar" in page


@pytest.mark.parametrize(("alone", "said"), [(2.4, "is better than one that learnt"), (2.02, "cannot be told: beside")])
def test_what_the_teacher_added_stands_near_the_headline(make_run: Make, alone: float, said: str) -> None:
    report = build(make_run({**LOSS, "real_only": alone}))
    assert report.added is not None and report.added.b == "real_only"
    for place in (html.render(report), markdown.render(report), terminal.table(json.loads(report.to_json()))):
        assert said in place
    assert markdown.render(report).splitlines()[4].startswith(("The student is better", "What the teacher added"))


def test_one_seed_is_said_to_be_one(make_run: Make) -> None:
    report = build(make_run())
    for place in (html.render(report), markdown.render(report), terminal.table(json.loads(report.to_json()))):
        assert "ne training seed" in place


def test_an_older_report_is_still_read(make_run: Make) -> None:
    from distill.compare.report import read_report

    value = json.loads(build(make_run()).to_json())
    for name in ("seeds", "forgetting", "calibration", "price"):
        del value[name]
    for metric in value["metrics"].values():
        del metric["retention"], metric["seeds"]
        for pair in metric["paired"]:
            del pair["p_holm"], pair["test"]
    old = read_report(value)
    assert old.seeds == 1 and html.render(old) and markdown.render(old) and terminal.table(value)


def test_evil_names_stay_text(full: Report) -> None:
    from distill.compare.report import read_report

    value = json.loads(full.to_json())
    value["calibration"] = {"<script>": value["calibration"]["arc"]}
    value["calibration"]["<script>"]["arms"]["<img onerror=x>"] = value["calibration"]["<script>"]["arms"]["base"]
    value["forgetting"][0]["metric"] = "a.<script>"
    evil = read_report(value)
    assert "<script" not in html.render(evil) and "<img" not in html.render(evil)
    assert not [line for line in markdown.render(evil).splitlines() if re.search(r"(?<!\\)<(script|img)", line)]
