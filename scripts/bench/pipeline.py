"""How long the quickstart takes, how much memory it needs and what it recovers: measured from nothing, in a folder of its own.

    .venv/bin/python scripts/bench/pipeline.py            about ten minutes on two cores

Prints a table and, as its last line, one JSON object. Memory is the largest sum of resident memory over all processes of the
run, sampled four times a second: pages that processes share count once for each, so it is an upper bound.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
CHECKS = 5
POLL_SECONDS = 0.25
GIB = 1 << 30


class BenchError(Exception):
    """A measurement that could not be made, with the reason."""


@dataclass(frozen=True)
class Measured:
    seconds: float
    peak_bytes: int
    """0 for runs shorter than one poll."""
    output: str
    """What the command printed on standard output."""


def resident_bytes(process: psutil.Process) -> int:
    """Resident memory of a process and all its descendants, now."""
    total = 0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for member in family:
        try:
            total += member.memory_info().rss
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return total


def distill(*arguments: str) -> Measured:
    """Run the command as a user does, from the repository's root.

    Raises:
        BenchError: it exited with an error, which is shown.
    """
    command = [sys.executable, "-m", "distill.cli", *arguments]
    started, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as out:
        process = psutil.Popen(command, cwd=ROOT, stdout=out, stdin=subprocess.DEVNULL)
        while True:
            try:
                status = process.wait(timeout=POLL_SECONDS)
                break
            except psutil.TimeoutExpired:
                peak = max(peak, resident_bytes(process))
        seconds = time.perf_counter() - started
        out.seek(0)
        text = out.read()
    if status != 0:
        raise BenchError(f"`distill {' '.join(arguments)}` exited with {status}\n{text}")
    return Measured(seconds, peak, text)


def gap_recovered(runs: Path) -> tuple[float, float, float]:
    """Value and 95% interval of the primary metric's gap recovered.

    Raises:
        BenchError: no report, or the report says that the gap is undefined.
    """
    found = list(runs.glob("*/[0-9]*-compare/report.json"))
    if len(found) != 1:
        raise BenchError(f"one report.json was expected under {runs}, found {len(found)}")
    metrics: dict[str, Any] = json.loads(found[0].read_text(encoding="utf-8"))["metrics"]
    name, primary = next((name, metric) for name, metric in metrics.items() if metric["primary"])
    gap = primary["gap_recovered"]
    if not gap or gap.get("value") is None:
        raise BenchError(f"the gap recovered of {name} is undefined in this run: {gap}")
    low, high = gap["ci95"]
    return float(gap["value"]), float(low), float(high)


def measure(recipe: Path, folder: Path) -> dict[str, float]:
    """All figures of one recipe, made from an empty cache in this folder."""
    check = statistics.median(distill("check", str(recipe)).seconds for _ in range(CHECKS))
    places = ("--runs", str(folder / "runs"), "--cache", str(folder / "cache"))
    first = distill("run", str(recipe), *places)
    again = distill("run", str(recipe), *places)
    if "nothing to do" not in again.output:
        raise BenchError(f"the second run did something:\n{again.output}")
    value, low, high = gap_recovered(folder / "runs")
    return {
        "check_seconds": round(check, 3),
        "nothing_to_do_seconds": round(again.seconds, 3),
        "quickstart_seconds": round(first.seconds, 1),
        "peak_memory_gb": round(first.peak_bytes / GIB, 2),
        "gap_recovered": round(value, 4),
        "gap_recovered_low": round(low, 4),
        "gap_recovered_high": round(high, 4),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "quickstart.yaml")
    parser.add_argument("--keep", type=Path, help="leave runs and cache in this new folder")
    options = parser.parse_args()
    try:
        if options.keep:
            options.keep.mkdir(parents=True)
            figures = measure(options.recipe.resolve(), options.keep.resolve())
        else:
            with tempfile.TemporaryDirectory() as folder:
                figures = measure(options.recipe.resolve(), Path(folder))
    except (BenchError, OSError) as error:
        print(f"no figures: {error}", file=sys.stderr)
        return 1
    for name, value in figures.items():
        print(f"{name:24} {value:>10}")
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
