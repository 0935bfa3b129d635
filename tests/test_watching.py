"""Checkpoints evaluated while a training in another process writes them."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from distill import artifacts, evaluated, show, watching
from distill.cli import main
from distill.errors import DistillError
from distill.train import checkpoints
from distill.workspace import Workspace
from tests.small_run import make, open_run, write_recipe

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "DISTILL_QUIET": "1"}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PAUSE", 0.5)


@pytest.fixture
def prepared(tmp_path: Path, tiny_model: Path, sharp_model: Path) -> Workspace:
    """All but the training, which takes its time: 60 steps of 32 rows, a checkpoint every twenty."""
    import torch

    torch.set_num_threads(1)  # as the processes: sums in the same order
    steps = {"max_steps": 60, "checkpoint_every": 20, "batch_size": 32}
    workspace = open_run(tmp_path, write_recipe(tmp_path, tiny_model, sharp_model, train=steps))
    make(workspace, "tokenise")
    make(workspace, "evaluate/teacher")
    return workspace


def training(workspace: Workspace) -> subprocess.Popen[bytes]:
    run, cache, key = workspace.run_folder, workspace.cache, workspace.planned["train"].key
    command = [sys.executable, "-m", "distill.launch", "--alone", "train", key, str(run), str(cache)]
    return subprocess.Popen(command, env=ENVIRONMENT, cwd=ROOT)


def until(true: object, what: str) -> None:
    """Wait for a condition."""
    assert callable(true)
    last = time.monotonic() + 120
    while not true():
        assert time.monotonic() < last, what
        time.sleep(0.01)


def test_a_watcher_outlives_a_kill_and_leaves_what_evaluate_checkpoints_would(
    prepared: Workspace, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The training in processes of its own; the watcher is this one."""
    said = ""
    with ThreadPoolExecutor() as threads:
        watcher = threads.submit(watching.evaluate, prepared.run_folder, prepared.cache, True)
        trainer = training(prepared)
        folder, _ = evaluated.training_folder(prepared)
        until(lambda: evaluated.steps(folder) == [20], "the first checkpoint")
        trainer.send_signal(signal.SIGKILL)
        trainer.wait()
        until(lambda: list(evaluated.evaluations(prepared)) == [20], "it is evaluated though the training is not done")
        assert not prepared.find("train") and not watcher.done()
        time.sleep(2 * watching.PAUSE)
        said += capfd.readouterr().err
        assert said.count("nobody is training now, its last checkpoint is that of step 20") == 1
        assert training(prepared).wait(120) == 0
        workspace = watcher.result(120)
    said += capfd.readouterr().err
    assert "went away" not in said
    points = evaluated.points(workspace)
    assert [point.step for point in points] == [20, 40, 60]
    asked = evaluated.with_checkpoints(prepared, [20, 40, 60])
    for point in points:
        before = (point.folder / "items.jsonl").read_bytes()
        point.folder.rename(tmp_path / f"before-{point.step}")
        again, made = asked.make(evaluated.arm(point.step))
        assert made and again.path == point.folder and (again.path / "items.jsonl").read_bytes() == before
    losses = [point.metrics["heldout_real.loss"] for point in points]
    assert len(set(losses)) == 3 and f"{losses[0]:.4f}" in said
    assert not list((prepared.cache / ".work").glob("checkpoint-*")), "what was held is let go"


def test_the_checkpoints_that_are_there(
    tmp_path: Path, tiny_model: Path, sharp_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = open_run(tmp_path, write_recipe(tmp_path, tiny_model, sharp_model))
    options = ["--runs", str(workspace.runs), "--cache", str(workspace.cache)]
    make(workspace, "tokenise")
    assert main(["evaluate", "small", *options]) == 2
    assert "--watch waits for the first one" in capsys.readouterr().err
    make(workspace, "train")
    asked = evaluated.with_checkpoints(workspace, [4])
    assert list(watching.missing(asked, "evaluate/student@4")) == ["evaluate/teacher"], "made once, for all"
    make(workspace, "evaluate/teacher")
    assert not list(watching.missing(asked, "evaluate/student@4"))
    work = artifacts.work_folder(workspace.cache, evaluated.arm(4), asked.planned[evaluated.arm(4)].key)
    with work.with_name(f"{work.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another watcher is at this one
        assert main(["evaluate", "small", *options]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["step", "2", "6"]
    assert main(["evaluate", "small", "--watch", *options]) == 0
    table = capsys.readouterr().out
    assert [line.split()[0] for line in table.splitlines()[1:]] == ["step", "2", "4", "6"]
    assert table.splitlines()[1].split()[1] == "heldout_real.loss", "the one that decides comes first"
    assert table.strip() in show.overview(workspace.run_folder, workspace.cache)
    recipe = write_recipe(tmp_path, tiny_model, sharp_model, evaluate={"checkpoints": [4]})
    later = open_run(tmp_path, recipe)
    assert later.find("evaluate/student@4"), "a recipe that names the checkpoint later finds it done"
    assert main(["evaluate", "small", *options]) == 0
    assert capsys.readouterr().err == "", "nothing was evaluated again"


def test_what_is_held_stays_when_the_training_takes_its_own_away(tmp_path: Path) -> None:
    own = tmp_path / "checkpoint-2"
    own.mkdir()
    for name in ("adapter_model.safetensors", "optimizer.pt", "trainer_state.json"):
        (own / name).write_text(name)
    checkpoints.seal(own, {"planned": True})
    checkpoints.take(own, tmp_path / "held")
    (own / "adapter_model.safetensors").unlink()
    assert [path.name for path in (tmp_path / "held").iterdir()] == ["adapter_model.safetensors"]
    assert (tmp_path / "held" / "adapter_model.safetensors").read_text() == "adapter_model.safetensors"
    with pytest.raises(FileNotFoundError):
        checkpoints.take(tmp_path / "gone", tmp_path / "other")


def test_a_run_without_a_student_has_no_checkpoints(tmp_path: Path, tiny_model: Path, sharp_model: Path) -> None:
    recipe = write_recipe(tmp_path, tiny_model, sharp_model, student=None, evaluate={"suites": ["heldout_teacher"]})
    workspace = open_run(tmp_path, recipe)
    with pytest.raises(DistillError, match="no student, and so no checkpoints"):
        watching.evaluate(workspace.run_folder, workspace.cache, watch=True)
    assert evaluated.points(workspace) == []
