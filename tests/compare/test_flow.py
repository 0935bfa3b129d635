"""Counts that do not add up are refused; a long training log is thinned."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distill.compare import flow, html, markdown, plots, stage
from distill.compare.books import MethodBooks, folded
from distill.compare.stage import Spec, build
from distill.errors import CompareError

Make = Callable[..., dict[str, Path]]


@pytest.fixture
def ledger(make_run: Make) -> dict[str, Any]:
    return dict(json.loads((make_run()["filter"] / "ledger.json").read_text()))


@pytest.mark.parametrize("side", ["teacher", "real"])
def test_lost_rows_are_refused_with_the_sum(tmp_path: Path, ledger: dict[str, Any], side: str) -> None:
    changed = copy.deepcopy(ledger)
    changed[side]["kept"] -= 1
    (tmp_path / "ledger.json").write_text(json.dumps(changed))
    with pytest.raises(CompareError, match="rows were requested, but") as error:
        flow.read_data({"filter": tmp_path, "mix": tmp_path})
    assert str(changed[side]["requested"]) in str(error.value) and side in str(error.value)


def test_reasons_come_commonest_first_with_an_example_each(make_run: Make) -> None:
    inputs = make_run()
    data, examples = flow.read_data(inputs), flow.read_examples(inputs)
    assert list(data.dropped.values()) == sorted(data.dropped.values(), reverse=True)
    assert [example.reason for example in examples] == list(data.dropped)


def test_a_long_log_is_thinned_to_means(make_run: Make) -> None:
    inputs = make_run(steps=10_000)
    points = flow.read_training(inputs, ("train",))["train"]
    assert 200 <= len(points) <= flow.POINTS and points[-1].step == 10_000
    losses = [json.loads(line)["loss"] for line in (inputs["train"] / "log.jsonl").read_text().splitlines()]
    assert points[0].loss == pytest.approx(sum(losses[: points[0].step]) / points[0].step)


def test_lines_without_a_loss_and_runs_without_training_are_fine(make_run: Make) -> None:
    inputs = make_run(steps=3)
    with (inputs["train"] / "log.jsonl").open("a") as file:
        file.write('{"step": 3, "train_runtime": 4.2}\n')
    assert [point.step for point in flow.read_training(inputs, ("train",))["train"]] == [1, 2, 3]
    assert flow.read_training({name: folder for name, folder in inputs.items() if name != "train"}, ("train",)) == {}


def test_a_long_text_is_cut_and_says_so() -> None:
    assert flow.cut("short") == "short"
    assert flow.cut("x" * 5000).endswith("(3800 more characters)")


def test_a_method_of_many_cells_is_shown_as_its_sum_and_the_cells_of_least_yield() -> None:
    one = MethodBooks(requested=10, kept=10, dropped=0, failed=0, missing=0, tokens=100, money=0.5)
    books = {f"grid[land={number}]": one.model_copy(update={"kept": number}) for number in range(10)}
    shown = folded({"answer": one, **books})
    assert list(shown)[:3] == ["answer", "grid, all 10 cells", "grid[land=0]"] and len(shown) == 1 + 1 + 8
    total = shown["grid, all 10 cells"]
    assert (total.requested, total.kept, total.tokens, total.money) == (100, 45, 1000, 5.0)
    assert folded(dict(list(books.items())[:3])) == dict(list(books.items())[:3]), "few are shown as they are"


def test_what_the_ledger_counts_beside_the_drops_is_in_the_report(make_run: Make) -> None:
    inputs = make_run()
    assert (flow.read_data(inputs).by_origin, flow.read_data(inputs).overlap) == ({}, {}), "of a ledger without them"
    ledger = json.loads((inputs["filter"] / "ledger.json").read_text())
    one = {"source": "teacher", "rows": 8, "kept": 6, "dropped": {"finished.truncated": 2}}
    more = {
        "by_origin": {"a|b@1": one},
        "overlap": {"finished+length": 2},
        "changed": {"teacher": {"privacy.email": 2}, "real": {"privacy.email": 1}},
    }
    (inputs["filter"] / "ledger.json").write_text(json.dumps({**ledger, **more}))
    report = build(Spec(name="r", use="research", primary="heldout_teacher.loss", seed=0), inputs)
    assert report.data.by_origin["a|b@1"].share == 0.75
    text, page = markdown.render(report), html.render(report)
    assert "| a\\|b@1 | teacher | 8 | 6 | 75% |" in text
    for shown in ("finished+length 2", "privacy.email 3"):
        assert shown in text and shown in page
    assert "a|b@1" in page and "75%" in page


def test_pairs_of_answers_are_shown_beside_the_rows(make_run: Make) -> None:
    inputs = make_run()
    data = flow.read_data(inputs)
    paired = data.model_copy(update={"preference_rows": 40})
    assert data.preference_rows == 0
    assert f"{data.train_rows + 40:,} rows" in plots.flow(paired)
    assert f"{data.train_rows - data.real + 40} teacher rows" in plots.flow(paired)
    report = build(Spec(name="r", use="research", primary="heldout_teacher.loss", seed=0), inputs)
    shown = report.model_copy(update={"data": paired})
    assert "40 pairs of answers and" in markdown.render(shown) and "40 pairs of answers" in html.render(shown)
    assert "pairs of answers" not in markdown.render(report)


@pytest.mark.parametrize(
    ("arm", "trainings", "said"),
    [
        ("student", ("train",), "trained"),
        ("student@5", ("train",), "trained for 5 steps"),
        ("sft", ("train/sft", "train/on_policy"), "trained by sft"),
        ("student", ("train/sft", "train/on_policy"), "trained by sft, then on_policy"),
        ("student@5", ("train/sft", "train/on_policy"), "trained by sft, then 5 steps of on_policy"),
    ],
)
def test_an_arm_says_what_it_was_trained_by(arm: str, trainings: tuple[str, ...], said: str) -> None:
    assert stage._trained(arm, trainings) == said


def test_losses_on_real_rows_are_never_thinned_and_the_kept_step_is_known(make_run: Make) -> None:
    inputs = make_run()
    lines = [{"step": 0, "real_loss": 9.0}]
    lines += [
        {"step": step, "loss": 1.0, **({"real_loss": 9.0 - step / 1000} if step % 100 == 0 else {})}
        for step in range(1, 1001)
    ]
    (inputs["train"] / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    manifest = json.loads((inputs["train"] / "manifest.json").read_text())
    manifest["summary"]["kept"] = {"step": 700}
    (inputs["train"] / "manifest.json").write_text(json.dumps(manifest))
    points = flow.read_training(inputs, ("train",))["train"]
    assert [point.step for point in points if point.real_loss is not None] == list(range(0, 1001, 100))
    assert [point.step for point in points if point.kept] == [700]
    assert points[0].loss is None and len(points) < 300
