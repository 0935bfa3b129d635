"""Jobs on a real Slurm: ./scripts/test.sh -m slurm, as root, after apt-get install slurm-wlm munge."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from distill.cli import main
from distill.train.watch import read_log

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm"), pytest.mark.timeout(1800)]
PATIENCE = 1500


def wait_for(what: Callable[[], bool], folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while not what():
        logs = "\n".join(f"== {path.name}\n{path.read_text()[-2000:]}" for path in folder.rglob("*.log"))
        assert time.monotonic() < until, f"{asked('squeue')}\n{logs}"
        assert "DependencyNeverSatisfied" not in asked("squeue", "--format=%r"), logs
        time.sleep(0.05)


def asked(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def submit(recipe: Path, capfd: pytest.CaptureFixture[str], *more: str) -> dict[str, str]:
    """Node to the id of its job."""
    folders = ["--runs", str(recipe.parent / "runs"), "--cache", str(recipe.parent / "cache")]
    assert main(["slurm", str(recipe), "--submit", *folders, *more]) == 0
    lines = [line.split(": job ") for line in capfd.readouterr().out.splitlines() if ": job " in line]
    return dict(lines)


def test_a_recipe_becomes_a_report_its_student_trained_on_two_nodes(
    recipe: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = {"distributed_type": "MULTI_GPU", "use_cpu": True, "num_machines": 1, "num_processes": 1}
    (recipe.parent / "each.yaml").write_text(yaml.safe_dump({**config, "mixed_precision": "no"}))
    nodes = ["--launch", "train=each.yaml", "--set", "runtime.slurm.train.nodes=2"]
    jobs = submit(recipe, capfd, *nodes)
    # No suite of it asks for the teacher's answers to held-out prompts: there is no job for them.
    assert list(jobs) == ["generate", "train", "evaluate/teacher", "evaluate/base", "evaluate/student", "compare"]
    run = recipe.parent / "runs" / "small"
    wait_for((run / "6-compare" / "report.html").exists, run)
    last = json.loads((run / "4-train" / "checkpoints" / "checkpoint-20" / "complete.json").read_text())
    assert last["processes"] == 2, "each node was told a number of its own"
    assert submit(recipe, capfd, *nodes) == {}, "every step is there"


def test_a_job_that_is_queued_again_in_the_middle_ends_with_the_same_adapter(
    recipe: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    longer = ["--set", "train.max_steps=200", "--set", "train.checkpoint_every=20"]
    other = ["--runs", str(recipe.parent / "other"), "--cache", str(recipe.parent / "cache")]
    command = [sys.executable, "-m", "distill.cli", "run", str(recipe), "--until", "mix", *longer, *other]
    subprocess.run(command, check=True, capture_output=True)  # what the training needs is there
    jobs = submit(recipe, capfd, *longer)
    run, cache = recipe.parent / "runs" / "small", recipe.parent / "cache"

    def steps() -> int:
        return max((len(read_log(path)) for path in cache.rglob("log.jsonl")), default=0)

    wait_for(lambda: steps() >= 50, run)
    subprocess.run(["scontrol", "requeue", jobs["train"]], check=True)
    assert not (run / "4-train").exists()
    now = [
        "scontrol",
        "update",
        f"jobid={jobs['train']}",
        "StartTime=now",
    ]  # Slurm lets it rest for two minutes otherwise
    wait_for(lambda: subprocess.run(now, capture_output=True, check=False).returncode == 0, run)
    wait_for((run / "4-train").exists, run)
    assert "Restarts=1" in asked("scontrol", "show", "job", jobs["train"])
    said = (run / "slurm" / f"train-{jobs['train']}.log").read_text()
    assert "going on from step" in said
    undisturbed = [
        *command[:5],
        "--until",
        "train",
        *longer,
        "--runs",
        other[1],
        "--cache",
        str(recipe.parent / "again"),
    ]
    subprocess.run(undisturbed, check=True, capture_output=True)
    names = ("adapter/adapter_model.safetensors", "log.jsonl")
    for name in names:
        found, expected = (
            (folder / "small" / "4-train" / name).read_bytes() for folder in (run.parent, recipe.parent / "other")
        )
        assert found == expected, name
