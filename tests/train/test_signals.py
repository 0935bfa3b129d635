"""SIGTERM and Ctrl-C while a student learns: a checkpoint at the end of the step, and the same student in the end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from distill.errors import StoppedError
from distill.launch import guarded
from distill.load import load_recipe
from distill.train import checkpoints, watch
from distill.train.log import read_log
from distill.workspace import Workspace
from tests.small_run import make
from tests.train.small import as_it_is_logged, spec_of, train
from tests.train.test_resume import ROOT, SPEC, assert_same, start
from tests.train.test_resume import prepared as prepared

RECIPE = """
extends: {quickstart}
name: small
teacher: {{model: {model}, engine: {{kind: echo}}}}
student: {{model: {model}, drop_layers: [1], lora: {{r: 4, alpha: 8}}}}
split: {{held_out_prompts: 8}}
generate: {{rows: 8, methods: [{{kind: answer, prompts: chat}}], sampling: {{max_new_tokens: 64}}}}
evaluate: {{primary: heldout_teacher.chrf}}
filter: [{{kind: contamination}}]
train: {{max_steps: 90, batch_size: 4, dtype: float32, checkpoint_every: 40}}
runtime: {{launch: {{generate: cpu, train: {launch}, evaluate: cpu}}, per_device_batch: 2}}
"""


@pytest.fixture(autouse=True)
def _ctrl_c() -> Iterator[None]:
    """As on a terminal, also where these tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def signal_at(process: subprocess.Popen[bytes], log: Path, step: int, number: int) -> int:
    """Send it when the log has the step; the status of the process after it."""
    until = time.monotonic() + 240
    while not [line for line in read_log(log) if line["step"] >= step]:
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(number)
    return process.wait(timeout=120)


def test_a_signal_while_the_gradients_are_looked_at_is_heard(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU most of a step passes there."""

    def healthy(_model: object) -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    monkeypatch.setattr(watch, "healthy", healthy)
    with pytest.raises(StoppedError, match="SIGTERM after step 1 of"):
        train(folder, spec_of(max_steps=3))
    assert checkpoints.last_whole(folder / "out" / "checkpoints") is not None


def assert_the_rest_is_as_undisturbed(prepared: Path) -> None:
    last = checkpoints.last_whole(prepared / "out" / "checkpoints")
    steps = [line["step"] for line in read_log(prepared / "out" / "log.jsonl")]
    assert checkpoints.step_of(last) == steps[-1], "nothing that was learnt is lost"
    train(prepared, SPEC)
    assert_same(prepared)
    ledger = read_log(prepared / "out" / "checkpoints.jsonl")
    assert [line["step"] for line in ledger if line["planned"]] == [4, 8, 12, 16, 20, 24, 28, 30]
    assert not list((prepared / "out").rglob("optimizer.pt"))


def test_a_signal_writes_a_checkpoint_of_the_step_and_the_rest_is_as_undisturbed(prepared: Path) -> None:
    """At any moment, from outside."""
    status = signal_at(start(prepared), prepared / "out" / "log.jsonl", 5, signal.SIGTERM)
    assert status == 128 + signal.SIGTERM
    assert_the_rest_is_as_undisturbed(prepared)


def test_ctrl_c_does_so_too(prepared: Path) -> None:
    with as_it_is_logged(10, lambda: os.kill(os.getpid(), signal.SIGINT)):
        assert guarded(lambda: train(prepared, SPEC)) == 128 + signal.SIGINT
    assert_the_rest_is_as_undisturbed(prepared)


def run(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "distill.cli", "run", str(folder / "recipe.yaml"), "--until", "train", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    places = ["--runs", str(folder / "runs"), "--cache", str(folder / "cache")]
    return subprocess.Popen([*command, *places], env=environment, cwd=ROOT)


def prepare(folder: Path, model: Path, launch: str) -> None:
    quickstart = ROOT / "recipes" / "quickstart.yaml"
    (folder / "recipe.yaml").write_text(RECIPE.format(quickstart=quickstart, model=model, launch=launch))
    workspace = Workspace(load_recipe(folder / "recipe.yaml"), folder, folder / "runs", folder / "cache")
    workspace.save_recipe()
    make(workspace, "train")
    shutil.copytree(folder / "runs" / "small" / "4-train", folder / "undisturbed")
    shutil.rmtree((folder / "runs" / "small" / "4-train").resolve())


@pytest.mark.parametrize(
    ("launch", "number"),
    [
        pytest.param("multi_cpu", signal.SIGTERM, marks=pytest.mark.distributed),
        pytest.param("cpu", signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_a_signal_to_the_run_reaches_the_training(tmp_path: Path, tiny_model: Path, launch: str, number: int) -> None:
    prepare(tmp_path, tiny_model, launch)
    process = run(tmp_path)
    (work,) = [path for path in wait_for(tmp_path / "cache" / ".work", "train-*") if path.is_dir()]
    assert signal_at(process, work / "log.jsonl", 42, number) == 128 + number
    last = checkpoints.last_whole(work / "checkpoints")
    assert last is not None and last.name not in ("checkpoint-40", "checkpoint-80")
    assert (checkpoints.marker(last) or {})["processes"] == (2 if launch == "multi_cpu" else 1), "they know each other"
    assert not subprocess.run(["pgrep", "-f", str(work.parents[1])], capture_output=True, check=False).stdout
    assert run(tmp_path).wait(timeout=240) == 0
    logs = [read_log(folder / "log.jsonl") for folder in (tmp_path / "undisturbed", tmp_path / "runs/small/4-train")]
    assert [line["step"] for line in logs[0]] == [line["step"] for line in logs[1]] == list(range(91))
    for name in ("loss", "real_loss"):
        values = [[line.get(name) for line in log] for log in logs]
        assert [value is None for value in values[0]] == [value is None for value in values[1]]
        assert [v for v in values[1] if v] == pytest.approx([v for v in values[0] if v], abs=1e-3)
    manifest = json.loads((tmp_path / "runs" / "small" / "4-train" / "manifest.json").read_text())
    assert manifest["key"] == read_log(tmp_path / "undisturbed" / "checkpoints.jsonl")[0]["key"]


def wait_for(folder: Path, pattern: str) -> list[Path]:
    until = time.monotonic() + 200
    while not (found := [path for path in folder.glob(pattern) if path.is_dir()]):
        assert time.monotonic() < until
        time.sleep(0.05)
    return found
