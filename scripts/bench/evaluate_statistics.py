"""What a comparison costs, and whether its intervals hold the truth.

    .venv/bin/python scripts/bench/evaluate_statistics.py [--simulations 2000]

compare   six arms of 10,000 items, five metrics each, on disk -> what the report says of them: all is read, and of every metric
          six means, nine paired differences and four gaps are made by 10,000 resamples. Seconds and peak memory of a process
          that does nothing else
coverage  thousands of samples are drawn from worlds whose truth is known: how many of the 95% intervals hold it. The worlds are
          what evaluation meets: losses weighted by tokens, items that share a prompt, right and wrong answers, training seeds

Prints two tables and, as its last line, one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

from distill.compare.arms import read_arms
from distill.compare.calibrated import calibrated
from distill.compare.measure import measure
from distill.statistics.calibration import BINS, Calibration, Choices, bins
from distill.statistics.forgetting import Forgetting, change
from distill.statistics.panel import Panel
from distill.statistics.scores import Interval, Scores
from distill.suites.metrics import METRICS

Array = npt.NDArray[np.float64]
Trial = Callable[[np.random.Generator, int], bool]
"""A sample of a world and a number of resamples -> whether the interval holds the truth."""
ROOT = Path(__file__).resolve().parents[2]
ITEMS, SUITE = 10_000, "heldout_teacher"
ARMS = {"teacher": 1.4, "base": 2.6, "student": 2.0, "student@100": 2.3, "student@200": 2.1, "other": 1.9}
SIMULATIONS, RESAMPLES = 2_000, 1_000


def compare_cost(items: int = ITEMS) -> dict[str, float]:
    """`seconds` and `mb` of a fresh process, with the part that was reading and the processor's own time."""
    with tempfile.TemporaryDirectory() as folder:
        for arm, loss in ARMS.items():
            write_arm(Path(folder) / arm, arm, loss, items)
        command = [sys.executable, __file__, "--compare", folder]
        said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return dict(json.loads(said.splitlines()[-1]))


def compare_seconds() -> float:
    return compare_cost()["seconds"]


def compare_mb() -> float:
    return compare_cost()["mb"]


def write_arm(folder: Path, arm: str, loss: float, items: int) -> None:
    """An arm as evaluation leaves it; an item is as hard for every arm, so that pairing tells more than the means."""
    folder.mkdir(parents=True)
    shared, own = random.Random(0), random.Random(arm)
    text = "The tides follow the moon, which pulls the water on the near side more than the earth beneath it. " * 2
    with (folder / "items.jsonl").open("w", encoding="utf-8") as file:
        for index in range(items):
            tokens, hard = 12 + shared.randrange(60), shared.gauss(0, 0.4)
            value = max(0.05, loss + hard + own.gauss(0, 0.2))
            scores = {
                "loss": (value, tokens),
                "agreement": (min(1.0, max(0.0, 1.1 - value / 5)), tokens),
                "kl": (max(0.01, value - 1.2), tokens),
                "bits_per_byte": (value / 3, 4 * tokens),
                "chrf": (min(100.0, max(0.0, 60 - 14 * value + own.gauss(0, 9))), 1),
            }
            line: dict[str, Any] = {
                "suite": SUITE, "item": f"{index:016}", "root": f"{index:016}", "asked": f"{index:016}",
                "question": f"Why do the tides change, and what does {index} have to do with it?", "reference": text,
                "answer": text, "answers": [], "found": None, "confidence": None, "error": None,
                "metrics": {name: {"value": one, "weight": weight} for name, (one, weight) in scores.items()},
            }  # fmt: skip
            file.write(json.dumps(line) + "\n")
    summary = {
        "arm": arm, "model": arm, "template": "t", "tokenizer": "v", "decoding": {}, "notes": [],
        "metrics": {f"{SUITE}.{name}": asdict(METRICS[name]) for name in ("loss", "agreement", "kl", "bits_per_byte", "chrf")},
        "counts": {"requested": items, "scored": items, "failed": 0},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps({"summary": summary}), encoding="utf-8")


def compare(folder: Path) -> dict[str, float]:
    """What a report says of the arms in a folder."""
    started, busy = time.perf_counter(), time.process_time()
    arms = read_arms({f"evaluate/{path.name}": path for path in folder.iterdir()})
    read = time.perf_counter() - started
    metrics, _ = measure(arms, f"{SUITE}.loss", seed=17)
    calibrated(arms, seed=17)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pairs = sum(len(metric.paired) for metric in metrics.values())
    processor = time.process_time() - busy
    return {
        "seconds": seconds,
        "processor": processor,
        "read": read,
        "mb": peak,
        "metrics": len(metrics),
        "differences": pairs,
    }


def scores(values: Array, weights: Array | None = None, per_root: int = 1) -> Scores:
    count = len(values)
    weighed = [1.0] * count if weights is None else list(weights)
    return Scores(list(map(str, range(count))), list(values), weighed, [str(i // per_root) for i in range(count)])


def holds(found: Interval, truth: float) -> bool:
    return found.low <= truth <= found.high


def one_seed(rng: np.random.Generator) -> int:
    return int(rng.integers(1 << 30))


def mean_of_losses(rng: np.random.Generator, resamples: int) -> bool:
    """128 skewed losses (mean 2), weighted by tokens."""
    own = scores(rng.gamma(4, 0.5, 128), rng.integers(5, 100, 128).astype(float))
    return holds(Panel({"arm": own}, seed=one_seed(rng), resamples=resamples).mean("arm"), 2)


def mean_of_clusters(rng: np.random.Generator, resamples: int) -> bool:
    """80 prompts of five items that resemble each other."""
    values = 2 + np.repeat(rng.normal(0, 1, 80), 5) + rng.normal(0, 1, 400)
    return holds(Panel({"arm": scores(values, per_root=5)}, seed=one_seed(rng), resamples=resamples).mean("arm"), 2)


def share_right(rng: np.random.Generator, resamples: int) -> bool:
    """164 items, 70% of them right: Wilson."""
    own = scores((rng.random(164) < 0.7).astype(float))
    return holds(Panel({"arm": own}, right=True, resamples=resamples).mean("arm"), 0.7)


def difference_of_losses(rng: np.random.Generator, resamples: int) -> bool:
    """128 items that are as hard for both arms."""
    hard, weights = rng.gamma(4, 0.5, 128), rng.integers(5, 100, 128).astype(float)
    a, b = (scores(hard + shift + rng.gamma(2, 0.2, 128), weights) for shift in (0.0, 0.3))
    panel = Panel({"a": a, "b": b}, seed=one_seed(rng), resamples=resamples)
    return holds(panel.difference("a", "b"), -0.3)


def right_and_wrong(rng: np.random.Generator, items: int, ability: Array | float = 0.0) -> tuple[Array, Array]:
    """Two arms of which a is right where b is wrong on 13% of the items, and b alone on 7%."""
    kind = rng.random(items) + ability
    a, b = kind < 0.63, (kind < 0.5) | ((kind >= 0.63) & (kind < 0.70))
    return a.astype(float), b.astype(float)


def difference_right(rng: np.random.Generator, resamples: int) -> bool:
    """541 items, 20% of them discordant: Newcombe."""
    a, b = right_and_wrong(rng, 541)
    panel = Panel({"a": scores(a), "b": scores(b)}, right=True, resamples=resamples)
    return holds(panel.difference("a", "b"), 0.06)


def difference_right_clusters(rng: np.random.Generator, resamples: int) -> bool:
    """The same in 100 passages of three questions, each easy or hard as a whole."""
    easy = np.repeat(rng.choice([-0.2, 0.2], 100), 3)
    a, b = right_and_wrong(rng, 300, easy)
    panel = Panel(
        {"a": scores(a, per_root=3), "b": scores(b, per_root=3)}, right=True, seed=one_seed(rng), resamples=resamples
    )
    # In neither kind of passage a share is cut off at 0 or 1: the difference is that of independent items.
    return holds(panel.difference("a", "b"), 0.06)


def three_arms(rng: np.random.Generator) -> dict[str, Scores]:
    hard, weights = rng.gamma(4, 0.4, 128), rng.integers(5, 100, 128).astype(float)
    shifts = {"teacher": 0.0, "base": 1.2, "student": 0.6}
    return {arm: scores(hard + shift + rng.gamma(2, 0.2, 128), weights) for arm, shift in shifts.items()}


def gap_recovered(rng: np.random.Generator, resamples: int) -> bool:
    """Half of it, on 128 items."""
    panel = Panel(three_arms(rng), seed=one_seed(rng), resamples=resamples)
    found = panel.gap_recovered("teacher", "base", "student", "lower")
    return found.low is not None and found.high is not None and found.low <= 0.5 <= found.high


def retention(rng: np.random.Generator, resamples: int) -> bool:
    """Of 63% right of 300, 57% are left."""
    a, b = right_and_wrong(rng, 300)
    found = Panel({"a": scores(a), "b": scores(b)}, right=True, seed=one_seed(rng), resamples=resamples).retention(
        "a", "b"
    )
    return found.low is not None and found.high is not None and found.low <= 0.57 / 0.63 <= found.high


def three_seeds(rng: np.random.Generator, resamples: int) -> bool:
    """Three trainings of 128 items; seeds differ by as much as items make uncertain."""
    hard, liked = rng.normal(2, 1, 128), rng.normal(0, 0.4, 128)
    students = [scores(hard - 0.3 + liked + rng.normal(0, 0.06) + rng.normal(0, 0.4, 128)) for _ in range(3)]
    base = scores(hard + rng.normal(0, 0.4, 128))
    panel = Panel({"student": students, "base": base}, seed=one_seed(rng), resamples=resamples)
    return holds(panel.difference("student", "base"), -0.3)


def forgetting(rng: np.random.Generator, resamples: int) -> bool:
    """A student exactly on the margin is called `not worse` in 5% of cases."""
    a, b = right_and_wrong(rng, 541)
    panel = Panel({"base": scores(a), "student": scores(b)}, right=True, resamples=resamples)
    asked = Forgetting(metrics=("suite.accuracy",), margin=0.06)
    return change(panel, "student", "base", "higher", asked).verdict != "not worse"


def sure(rng: np.random.Generator, items: int, over: float) -> tuple[Choices, float]:
    """Choices of an overconfident arm, and its true error in the bins."""
    confidence = 0.25 + 0.75 * rng.beta(2, 1.5, items)
    chance = confidence - over * (confidence - 0.25)
    far = np.random.default_rng(0)
    many = 0.25 + 0.75 * far.beta(2, 1.5, 200_000)
    truth = np.abs(np.bincount(bins(many), -over * (many - 0.25), minlength=BINS)).sum() / len(many)
    return Choices(list(confidence), list((rng.random(items) < chance).astype(float))), float(truth)


def calibration_error(rng: np.random.Generator, resamples: int) -> bool:
    """500 choices, confident by 0.09 too much."""
    choices, truth = sure(rng, 500, 0.2)
    found = Calibration({"arm": choices}, list(map(str, range(500))), seed=one_seed(rng), resamples=resamples)
    return holds(found.of("arm").error, truth)


def calibration_difference(rng: np.random.Generator, resamples: int) -> bool:
    """500 choices of two arms, of which one is overconfident."""
    (a, high), (b, low) = sure(rng, 500, 0.5), sure(rng, 500, 0.2)
    found = Calibration({"a": a, "b": b}, list(map(str, range(500))), seed=one_seed(rng), resamples=resamples)
    return holds(found.difference("a", "b"), high - low)


WORLDS: Sequence[Trial] = (
    mean_of_losses, mean_of_clusters, share_right, difference_of_losses, difference_right, difference_right_clusters,
    gap_recovered, retention, three_seeds, forgetting, calibration_error, calibration_difference,
)  # fmt: skip


def coverage(simulations: int = SIMULATIONS, resamples: int = RESAMPLES) -> Iterator[tuple[str, float]]:
    """Of every world, the share of intervals that hold the truth."""
    for number, world in enumerate(WORLDS):
        rng = np.random.default_rng([20, number])
        yield world.__name__, float(np.mean([world(rng, resamples) for _ in range(simulations)]))


def coverage_95(simulations: int = SIMULATIONS) -> float:
    """Of all worlds the coverage that is farthest from 95%."""
    return max((share for _, share in coverage(simulations)), key=lambda share: abs(share - 0.95))


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=SIMULATIONS)
    parser.add_argument("--compare", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.compare:
        found: dict[str, Any] = compare(asked.compare)
        print(json.dumps(found))
        return found
    cost = compare_cost()
    print(
        f"{len(ARMS)} arms of {ITEMS:,} items, five metrics: {cost['seconds']:.2f} s ({cost['processor']:.2f} s of the "
        f"processor; {cost['read']:.2f} s to read), {cost['mb']:.0f} MB"
    )
    shares = dict(coverage(asked.simulations))
    for world, share in shares.items():
        print(f"{world:28}{100 * share:6.1f}%")
    farthest = max(shares.values(), key=lambda share: abs(share - 0.95))
    found = {
        "compare_seconds": round(cost["seconds"], 2),
        "compare_mb": round(cost["mb"]),
        "coverage_95": round(farthest, 4),
    }
    print(json.dumps(found))
    return found


if __name__ == "__main__":
    main()
