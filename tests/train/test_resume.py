"""Killed in the middle, by a signal that nothing can catch, and taken up again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from distill.errors import StoppedError
from distill.train import checkpoints
from distill.train.log import read_log
from tests.train.small import as_it_is_logged, make_row, put, spec_of, train

ROOT = Path(__file__).parents[2]
STEPS = 30
SPEC = spec_of(max_steps=STEPS, checkpoint_every=4, dropout=0.1)
TWO = (
    *(sys.executable, "-m", "accelerate.commands.launch"),
    *("--config_file", str(ROOT / "accelerate_configs" / "multi_cpu.yaml")),
)
"""Starts two processes."""


def start(folder: Path, *launcher: str, asked: Sequence[str] = ("spec.json", "out")) -> subprocess.Popen[bytes]:
    """Train in other processes.

    Args:
        asked: a file with a spec, the folder to train into, and so on.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "DISTILL_QUIET": "1"}
    command = [*(launcher or (sys.executable,)), str(ROOT / "tests" / "train" / "small.py")]
    with (folder / "said.txt").open("ab") as said:
        command += [str(folder), *asked]
        return subprocess.Popen(command, env=environment, cwd=ROOT, stderr=said)


def kill_at(folder: Path, step: int, *launcher: str) -> None:
    """Train until the log has the step, then SIGKILL to every process."""
    process = start(folder, *launcher)
    wait_for(process, folder, step)
    for one in (*psutil.Process(process.pid).children(recursive=True), process):
        one.send_signal(signal.SIGKILL)
    process.wait()


def wait_for(process: subprocess.Popen[bytes], folder: Path, step: int) -> None:
    """Until the log has a step."""
    until = time.monotonic() + 240
    while not [line for line in read_log(folder / "out" / "log.jsonl") if line["step"] >= step]:
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture
def prepared(folder: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`folder` for a training of SPEC in other processes, with what it writes undisturbed."""
    import torch

    torch.set_num_threads(1)
    (folder / "spec.json").write_text(SPEC.model_dump_json())
    (folder / "out").mkdir()
    (folder / "undisturbed").symlink_to(undisturbed)
    monkeypatch.setenv("DISTILL_QUIET", "1")
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
    train(prepared, SPEC)
    assert_same(prepared)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_at_twenty_random_steps_is_bit_for_bit_the_undisturbed_run(prepared: Path) -> None:
    rng = random.Random(5)
    for step in sorted(rng.randint(1, STEPS - 1) for _ in range(20)):
        kill_at(prepared, step)
    train(prepared, SPEC)
    assert_same(prepared)


@pytest.mark.distributed
def test_two_processes_give_what_one_does_for_every_objective(
    bytes_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On policy they even write the same answers: noise belongs to the row, not to the process."""
    objectives = {"on_policy": {"max_new_tokens": 4}, "preference": {}, "logits": {"keep": {"kind": "top_k", "k": 16}}}
    monkeypatch.setenv("DISTILL_QUIET", "1")
    asked: list[str] = []
    for objective, own in objectives.items():
        spec = spec_of(objective=objective, max_steps=3, batch_size=4, checkpoint_every=3, **own)
        (bytes_folder / f"{objective}.json").write_text(spec.model_dump_json())
        train(bytes_folder, spec, out=f"{objective}-1", per_device_batch=2)
        (bytes_folder / f"{objective}-2").mkdir()
        asked += [f"{objective}.json", f"{objective}-2"]
    assert start(bytes_folder, *TWO, asked=asked).wait(timeout=300) == 0
    for objective in objectives:
        one, two = (read_log(bytes_folder / f"{objective}-{world}" / "log.jsonl") for world in (1, 2))
        assert len(two) == len(one) == 3
        for name in one[0].keys() - {"epoch", "learning_rate"}:
            found, expected = ([line[name] for line in log] for log in (two, one))
            assert found == pytest.approx(expected, abs=1e-3), f"{objective}: {name}"


def watched_by_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train undisturbed in this process, watched on real rows, and prepare for the same in others."""
    put(folder, [make_row(number) for number in range(40)], [make_row(number, 4, "real") for number in range(100, 109)])
    (folder / "out").mkdir()
    spec = spec_of(max_steps=STEPS, checkpoint_every=4)
    (folder / "spec.json").write_text(spec.model_dump_json())
    monkeypatch.setenv("DISTILL_QUIET", "1")
    train(folder, spec, out="undisturbed")


def assert_alike(one: list[dict[str, float]], other: list[dict[str, float]]) -> None:
    """The same rows in the same steps, and losses that differ in the last digits only."""
    assert [(line["step"], line.get("tokens")) for line in other] == [
        (line["step"], line.get("tokens")) for line in one
    ]
    for name in ("loss", "real_loss"):
        losses = [{line["step"]: line[name] for line in log if name in line} for log in (one, other)]
        assert losses[1] == pytest.approx(losses[0], abs=1e-3)


@pytest.mark.distributed
def test_a_process_that_dies_is_named_and_other_numbers_go_on_with_the_same_training(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two, of which one dies and ends the other; then one, in this process, told to stop; then two. Without dropout, whose
    masks each process draws for itself."""
    watched_by_one(folder, monkeypatch)
    process = start(folder, *TWO)
    wait_for(process, folder, 9)
    ranks = {one.environ().get("RANK"): one for one in psutil.Process(process.pid).children(recursive=True)}
    ranks["1"].send_signal(signal.SIGKILL)
    assert process.wait(timeout=120) != 0
    said = (folder / "said.txt").read_text()
    assert f"rank 1 (process {ranks['1'].pid}) ended while the others were training" in said
    assert "runtime.per_device_batch" in said
    left = checkpoints.step_of(checkpoints.last_whole(folder / "out" / "checkpoints"))
    assert left >= 8 and left % 4 == 0
    # A step is logged when it is over, so that the next one is the last.
    told_to_stop = pytest.raises(StoppedError, match=f"SIGTERM after step {left + 2} of")
    with told_to_stop, as_it_is_logged(left + 1, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        train(folder, spec_of(max_steps=STEPS, checkpoint_every=4))
    assert start(folder, *TWO).wait(timeout=300) == 0
    one, two = (read_log(folder / out / "log.jsonl") for out in ("undisturbed", "out"))
    assert_alike(one, two)
    assert two[0]["real_loss"] == one[0]["real_loss"], "the same value to the last digit while the weights are the same"
    assert not list((folder / "out").rglob("rng_state*"))
    last = checkpoints.whole(folder / "out" / "checkpoints")[-1]
    assert (checkpoints.marker(last) or {})["processes"] == 2
    ledger = read_log(folder / "out" / "checkpoints.jsonl")
    stopped = [(line["step"], line["processes"]) for line in ledger if not line["planned"]]
    assert stopped == [(left + 2, 1)]
    assert [line["step"] for line in ledger] == sorted({line["step"] for line in ledger})


@pytest.mark.slow
@pytest.mark.distributed
@pytest.mark.timeout(3600)
def test_two_processes_killed_at_twenty_random_steps_give_the_same_losses(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched_by_one(folder, monkeypatch)
    rng = random.Random(6)
    for step in sorted(rng.randint(1, STEPS - 1) for _ in range(20)):
        kill_at(folder, step, *TWO)
    assert start(folder, *TWO).wait(timeout=300) == 0
    assert_alike(*(read_log(folder / out / "log.jsonl") for out in ("undisturbed", "out")))
