"""A run killed at random moments ends as one that nobody disturbed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from distill.cli import main
from tests.conftest import Run

ROOT = Path(__file__).parents[1]
KILLS = 20
LONGEST = 30.0
"""Seconds: longer than any stage takes on two free cores, so that each run of kills gets somewhere."""
COMPARED = (
    "0-split/train/chat.jsonl",
    "0-split/heldout/chat.jsonl",
    "1-heldout/rows.jsonl",
    "1-generate/rows.jsonl",
    "1-generate/failures.jsonl",
    "2-filter/kept.jsonl",
    "2-filter/ledger.json",
    "3-mix/train.jsonl",
    "4-train/adapter/adapter_model.safetensors",
    "5-evaluate-student/items.jsonl",
)


def timeless(report: Any) -> Any:
    """A report without what a clock or a meter wrote."""
    return {key: value for key, value in report.items() if key not in ("cost", "environment")}


def answered(cache: Path) -> Counter[str]:
    keys: Counter[str] = Counter()
    for path in (cache / "answers").glob("*/*.jsonl"):
        for line in path.read_text(errors="replace").splitlines():
            try:
                keys[f"{path.parent.name}/{json.loads(line)['request']}"] += 1
            except (ValueError, KeyError):
                keys["torn"] += 1
    return keys


def run_and_kill(run: Run, after: float) -> bool:
    """Start or resume the run and kill it; True when it had ended by itself before."""
    command = [sys.executable, "-m", "distill.cli", "run", run.recipe, *run.options]
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        return process.wait(after) == 0
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return False


def outlived(run: Run) -> str:
    """Processes of the run that are still there five seconds after it was killed (one may have been starting up)."""
    until = time.monotonic() + 5
    while True:
        left = subprocess.run(["pgrep", "-af", str(run.cache)], capture_output=True, text=True, check=False).stdout
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_at_twenty_random_moments(finished_run: Run, tmp_path: Path) -> None:
    run = Run(finished_run.recipe, tmp_path / "runs", tmp_path / "cache")
    rng = random.Random(17)
    kills = 0
    while kills < KILLS:
        if run_and_kill(run, rng.uniform(1.0, LONGEST)):
            same(run, finished_run)
            shutil.rmtree(tmp_path / "cache")
            shutil.rmtree(tmp_path / "runs")
            continue
        kills += 1
        assert not outlived(run), "processes outlived the run"
    assert main(["run", run.recipe, *run.options]) == 0
    same(run, finished_run)


def same(run: Run, undisturbed: Run) -> None:
    for name in COMPARED:
        assert (run.folder / name).read_bytes() == (undisturbed.folder / name).read_bytes(), name
    reports = [json.loads((one.folder / "6-compare" / "report.json").read_text()) for one in (run, undisturbed)]
    assert timeless(reports[0]) == timeless(reports[1])
    assert not [key for key, count in answered(run.cache).items() if count > 1], "an answer was recorded twice"
