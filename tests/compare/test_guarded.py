"""The student's loss on real text: within its limit, beyond it, and not to be judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distill.collapse.settings import Guard
from distill.compare import html, markdown, stage, terminal
from distill.compare.guarded import refused
from distill.compare.report import Report, read_report
from tests.compare.conftest import watch

Make = Callable[..., dict[str, Path]]


def build(inputs: dict[str, Path], **guard: Any) -> Report:
    spec = stage.Spec(name="x", use="research", primary="heldout_teacher.loss", seed=17, guard=Guard(**guard))
    return stage.build(spec, inputs)


def shown(report: Report) -> tuple[str, str, str]:
    return html.render(report), markdown.render(report), terminal.table(report.model_dump(mode="json"))


def test_a_student_whose_loss_on_real_text_fell_is_well(make_run: Make) -> None:
    report = build(make_run())
    found = report.guard
    assert found is not None and not found.student and not found.unjudged
    (loss,) = found.losses
    assert loss.rise == pytest.approx(loss.student - loss.base) and loss.rise < 0 and loss.suite == "heldout_real"
    assert refused(found, "there") is None
    for text in shown(report):
        assert "heldout_real.loss, on people's text, is within its limit" in text.replace("&#39;", "'")


def test_a_student_whose_loss_rose_ends_the_run_when_its_report_is_written(make_run: Make) -> None:
    report = build(make_run(arms={"teacher": 1.4, "base": 2.0, "student": 2.5}))
    assert read_report(report.model_dump(mode="json")) == report
    found = report.guard
    assert found is not None
    (risen,) = found.student
    assert risen.measure == "real_loss" and risen.value > risen.people and risen.interval[0] > 0
    error = refused(found, "all is in report.html")
    said = str(error)
    assert "the student has lost more of what people's texts have" in said and "nats per token" in said
    for line in (
        "train.patience: 3",
        "train.surest: 0.9",
        "mix.real_fraction: 0.5",
        "guard.stop: false",
        "report.html",
    ):
        assert line in said
    for text in shown(report):
        assert "the student's loss on real held-out text rose by" in text.replace("&#39;", "'")


def test_a_recipe_may_say_to_go_on_or_allow_more(make_run: Make) -> None:
    inputs = make_run(arms={"teacher": 1.4, "base": 2.0, "student": 2.5})
    told = build(inputs, stop=False).guard
    assert told is not None and told.student and refused(told, "") is None
    allowed = build(inputs, limits={"real_loss": 0.5}).guard
    assert allowed is not None and not allowed.student


def test_what_cannot_be_judged_is_said(make_run: Make) -> None:
    inputs = make_run(arms={"teacher": 1.4, "student": 2.5})
    (inputs["filter"] / "real.jsonl").unlink()
    watch(inputs)
    report = build(inputs)
    found = report.guard
    assert found is not None and not found.losses
    assert found.unjudged == (
        "0 texts of real: fewer than 40 say what chance says",
        "no loss of student and base on real held-out text can be compared (evaluate.suites: heldout_real or heldout_text)",
    )
    for text in shown(report):
        assert "not judged: 0 texts of real" in text


def test_what_was_found_of_the_rows_is_in_the_report(make_run: Make) -> None:
    report = build(make_run(), stop=False)
    assert report.guard is not None and report.guard.synthetic == 0.75
    assert {one.corpus for one in report.guard.rows} >= {"teacher"}, "60 words beside 400"
    assert all(one.remedies for one in report.guard.rows)
