"""Killed in the middle, by a signal that nothing can catch, and taken up again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distill.train import checkpoints
from distill.train.watch import read_log
from tests.train.small import make_pair, make_row, put, spec_of, train

ROOT = Path(__file__).parents[2]
STEPS = 30


def start(folder: Path, *launcher: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "DISTILL_QUIET": "1"}
    command = [*(launcher or (sys.executable,)), str(ROOT / "tests" / "train" / "small.py")]
    return subprocess.Popen([*command, str(folder), str(folder / "spec.json")], env=environment, cwd=ROOT)


def kill_at(folder: Path, step: int) -> None:
    """Train until the log has the step, then SIGKILL."""
    process = start(folder)
    until = time.monotonic() + 120
    while len(read_log(folder / "out" / "log.jsonl")) < step:
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < until
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture
def prepared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import torch

    torch.set_num_threads(1)  # as the processes that are killed: sums in the same order
    spec = spec_of(max_steps=STEPS, checkpoint_every=4, dropout=0.1)
    (folder / "spec.json").write_text(spec.model_dump_json())
    (folder / "out").mkdir()
    monkeypatch.setenv("DISTILL_QUIET", "1")
    train(folder, spec, out="undisturbed")
    return folder


def assert_same(folder: Path) -> None:
    def files(out: str) -> dict[str, bytes]:
        names = ("log.jsonl", "summary.json", "adapter/adapter_model.safetensors", "student.json", "README.md")
        steps = [
            f"checkpoints/{path.name}/adapter_model.safetensors"
            for path in checkpoints.whole(folder / out / "checkpoints")
        ]
        return {name: (folder / out / name).read_bytes() for name in (*names, *steps)}

    expected, found = files("undisturbed"), files("out")
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []


def test_killed_once_and_resumed_is_bit_for_bit_the_undisturbed_run(prepared: Path) -> None:
    kill_at(prepared, 11)
    left = checkpoints.last_whole(prepared / "out" / "checkpoints")
    assert left is not None
    assert int(left.name.partition("-")[2]) >= 8
    train(prepared, spec_of(max_steps=STEPS, checkpoint_every=4, dropout=0.1))
    assert_same(prepared)


@pytest.mark.slow
def test_killed_many_times_at_any_step_is_bit_for_bit_the_undisturbed_run(prepared: Path) -> None:
    for step in (1, 6, 7, 13, 18, 22, 29):
        kill_at(prepared, step)
    train(prepared, spec_of(max_steps=STEPS, checkpoint_every=4, dropout=0.1))
    assert_same(prepared)


@pytest.mark.distributed
@pytest.mark.parametrize("objective", ["on_policy", "preference"])
def test_two_processes_give_what_one_does_for_every_objective(
    folder: Path, monkeypatch: pytest.MonkeyPatch, objective: str
) -> None:
    """On policy they even write the same answers: noise belongs to the row, not to the process."""
    put(folder, [*map(make_row, range(16)), *map(make_pair, range(16))])
    (folder / "out").mkdir()
    own = {"max_new_tokens": 4} if objective == "on_policy" else {}
    spec = spec_of(objective=objective, max_steps=3, batch_size=4, checkpoint_every=3, **own)
    (folder / "spec.json").write_text(spec.model_dump_json())
    monkeypatch.setenv("DISTILL_QUIET", "1")
    train(folder, spec, out="undisturbed", per_device_batch=2)
    config = ROOT / "accelerate_configs" / "multi_cpu.yaml"
    process = start(folder, sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config))
    assert process.wait(timeout=300) == 0
    one, two = (read_log(folder / out / "log.jsonl") for out in ("undisturbed", "out"))
    for name in one[0].keys() - {"epoch", "learning_rate"}:
        assert [line[name] for line in two] == pytest.approx([line[name] for line in one], abs=1e-3), name


@pytest.mark.distributed
def test_two_processes_give_the_losses_of_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without dropout, whose masks each process draws for itself."""
    (folder / "out").mkdir()
    spec = spec_of(max_steps=STEPS, checkpoint_every=4)
    (folder / "spec.json").write_text(spec.model_dump_json())
    monkeypatch.setenv("DISTILL_QUIET", "1")
    train(folder, spec, out="undisturbed")
    config = Path(__file__).parents[2] / "accelerate_configs" / "multi_cpu.yaml"
    process = start(folder, sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config))
    assert process.wait(timeout=300) == 0
    one, two = (read_log(folder / out / "log.jsonl") for out in ("undisturbed", "out"))
    assert [line["tokens"] for line in two] == [line["tokens"] for line in one]
    assert [line["loss"] for line in two] == pytest.approx([line["loss"] for line in one], abs=1e-3)
    assert not list((folder / "out").rglob("rng_state*"))
    last = checkpoints.whole(folder / "out" / "checkpoints")[-1]
    assert (checkpoints.marker(last) or {})["processes"] == 2
