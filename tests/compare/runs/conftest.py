"""Finished runs in their folders: two suites of held-out rows and one of sums, of which an answer is right or wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from distill.cli import main
from distill.compare.runs.asked import Together
from distill.compare.runs.comparison import Comparison
from distill.comparing import compare
from distill.errors import SourceError
from distill.load import load_recipe
from distill.names import folder_name
from distill.recipe import dump
from distill.suites.metrics import METRICS, Metric
from tests.compare.conftest import LOSS, item_lines, write_arm

RECIPE = Path(__file__).parents[3] / "recipes" / "quickstart.yaml"
ACCURACY = Metric("higher", "share", "Share of items answered right.", right=True)
Lines = list[dict[str, Any]]
Change = Callable[[Lines], None]


class Runs:
    """A folder of runs, made of losses by arm."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def make(self, name: str, arms: Mapping[str, float] | None = None, count: int = 40, trained: str = "") -> Path:
        """A run with these arms; `trained` is the key of its training."""
        run = self.root / name
        run.mkdir(parents=True)
        (run / "recipe.resolved.yaml").write_text(dump(load_recipe(RECIPE, [f"name={name}"])), encoding="utf-8")
        self.train(run, trained or f"key-{name}", loss={**LOSS, **(arms or {})}["student"])
        for arm, loss in (LOSS if arms is None else {**LOSS, **arms}).items():
            own = arm if arm in ("teacher", "base") else f"{name}{arm}"  # runs differ in what they trained
            lines = [*item_lines(own, loss, count), *sums(own, loss, count)]
            self.arm(run, arm, lines, trained or f"key-{name}")
        return run

    def train(self, run: Path, key: str, loss: float, steps: int = 40, node: str = "train") -> None:
        folder = run / f"4-{folder_name(node)}"
        folder.mkdir(exist_ok=True)
        log: Lines = [{"step": 0, "real_loss": 2.9}]
        log += [{"step": step, "loss": loss + 1 / step} for step in range(1, steps + 1)]
        log += [{"step": step, "real_loss": loss + 0.9 - step / 200} for step in range(10, steps + 1, 10)]
        (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log), encoding="utf-8")
        for step in range(10, steps + 1, 10):
            (folder / "checkpoints" / f"checkpoint-{step}").mkdir(parents=True, exist_ok=True)
        manifest = {"key": key, "summary": {"kept": {"step": steps}}, "cost": {}}
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    def arm(self, run: Path, arm: str, lines: Sequence[Mapping[str, Any]], trained: str, **changed: Any) -> None:
        folder = run / f"5-evaluate-{folder_name(arm)}"
        suites = dict.fromkeys(line["suite"] for line in lines)
        about = {
            f"{suite}.{name}": asdict(METRICS.get(name, ACCURACY))
            for suite in suites
            for name in dict.fromkeys(name for line in lines if line["suite"] == suite for name in line["metrics"])
        }
        decoding = {
            "thinking": "apart",
            **{suite: {"temperature": 0, "items": 9, "max_new_tokens": 64} for suite in suites},
        }
        write_arm(folder, arm, lines, **{"metrics": about, "decoding": decoding, **changed})
        node = arm.replace("student", "train").partition("@")[0]
        upstream = {node: trained} if node.startswith("train") else {}
        self.change(run, arm, lambda manifest: manifest.update(identity={"upstream": upstream}))

    def change(self, run: Path, arm: str, change: Callable[[dict[str, Any]], None]) -> None:
        """What an arm's manifest says, changed."""
        path = run / f"5-evaluate-{folder_name(arm)}" / "manifest.json"
        manifest = json.loads(path.read_text(encoding="utf-8"))
        change(manifest)
        path.write_text(json.dumps(manifest), encoding="utf-8")

    def items(self, run: Path, arm: str, change: Change) -> None:
        """What an arm made of its items, changed."""
        path = run / f"5-evaluate-{folder_name(arm)}" / "items.jsonl"
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        change(lines)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    def find(self, name: str) -> Path:
        if not (self.root / name).is_dir():
            raise SourceError(f"no run {name!r}")
        return self.root / name

    def compare(self, *named: str) -> tuple[Comparison, Together]:
        return compare(named, self.find, self.root / "cache")

    def cli(self, *arguments: str) -> int:
        return main(["compare", *arguments, "--runs", str(self.root), "--cache", str(self.root / "cache")])


def sums(arm: str, loss: float, count: int) -> Lines:
    """Items of which an answer is right or wrong: the likelier right, the lower the loss."""
    lines: Lines = []
    for index in range(count):
        draw = random.Random(f"{index}")
        a, b, luck = (
            draw.randrange(90),
            draw.randrange(90),
            draw.random() + random.Random(f"{arm}{index}").gauss(0, 0.1),
        )
        right = luck > loss / 4
        found = a + b if right else a - b
        lines.append(
            {
                "suite": "sums", "item": f"s{index:06}", "root": f"s{index}", "asked": f"sum{index:013}",
                "question": f"What is {a} + {b}?", "reference": str(a + b), "answer": f"It is {found}.", "answers": [],
                "found": str(found), "confidence": None, "error": None,
                "metrics": {"accuracy": {"value": float(right), "weight": 1}},
            }
        )  # fmt: skip
    return lines


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")
