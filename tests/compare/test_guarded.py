"""The student's loss on real text: within its limit, beyond it, and not to be judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distill.collapse import found as finding
from distill.collapse.settings import Guard
from distill.compare import html, markdown, stage, terminal, words
from distill.compare.guarded import guarded, refused
from distill.compare.report import Metric, Report, read_report
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
    free = build(inputs, limits={"real_loss": None})
    assert free.guard is not None and not free.guard.student
    for text in shown(free):
        assert "is held against no limit (guard.limits.real_loss): +0.5" in text.replace("&#39;", "'")
        assert "within its limit" not in text


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


@pytest.mark.parametrize(
    ("rise", "ends", "verdict"),
    [
        (-0.1, (-0.2, 0.0), "not worse"),
        (0.05, (0.01, 0.09), "not worse"),
        (0.05, (-0.01, 0.11), "cannot tell"),
        (0.6, (-0.1, 1.3), "cannot tell"),
        (0.6, (0.1, 1.1), "worse"),
    ],
)
def test_what_is_not_proven_is_not_within_its_limit(
    make_run: Make, rise: float, ends: tuple[float, float], verdict: str
) -> None:
    """A base of 2 nats may rise by 0.1."""
    inputs = make_run()
    found, metric = finding.read(inputs["guard"]), build(inputs).metrics["heldout_real.loss"]
    told = guarded(found, {"heldout_real.loss": changed(metric, rise, ends)}, Guard(), ["heldout_real"])
    assert [one.verdict for one in told.losses] == [verdict] and bool(told.student) == (verdict == "worse")
    said = [(what, line) for what, line in words.guarded(told) if "loss" in line]
    assert [what for what, _ in said] == [verdict]
    assert ("within its limit" in said[0][1]) == (verdict == "not worse")


def test_a_suite_that_rose_does_not_hide_another(make_run: Make) -> None:
    inputs = make_run()
    found, metric = finding.read(inputs["guard"]), build(inputs).metrics["heldout_real.loss"]
    both = {
        "heldout_real.loss": changed(metric, 0.6, (0.1, 1.1)),
        "heldout_text.loss": changed(metric, 0.05, (-0.2, 0.3)),
    }
    told = guarded(found, both, Guard(stop=False), ["heldout_real", "heldout_text"])
    said = [(what, line) for what, line in words.guarded(told) if "loss" in line]
    assert [what for what, _ in said] == ["worse", "cannot tell"] and "heldout_text.loss" in said[1][1]


def changed(metric: Metric, rise: float, ends: tuple[float, float]) -> Metric:
    """The same with a base of 2 nats, and a student that is further from it by `rise`."""
    pairs = tuple(
        pair.model_copy(update={"difference": rise, "ci95": ends}) if (pair.a, pair.b) == ("student", "base") else pair
        for pair in metric.paired
    )
    base = metric.arms["base"].model_copy(update={"mean": 2.0})
    return metric.model_copy(update={"paired": pairs, "arms": {**metric.arms, "base": base}})
