"""a run -> the checkpoints of its last training, the evaluations of them that are in the cache, and what each scored.

The one place that says what is known of a run's checkpoints: for the watcher, `distill show` and whoever draws curves. An
evaluation counts whoever made it: the watcher, or the recipe's `evaluate.checkpoints`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from distill import artifacts
from distill.artifacts import Artifact
from distill.train import checkpoints
from distill.workspace import Workspace


@dataclass(frozen=True)
class Point:
    """One evaluated checkpoint."""

    step: int
    folder: Path
    """With `items.jsonl`, like any arm's."""
    metrics: dict[str, float]
    """`<suite>.<metric>` -> mean over all items that it was scored on."""


def arm(step: int) -> str:
    """Node that evaluates a checkpoint."""
    return f"evaluate/student@{step}"


def training_of(workspace: Workspace) -> str:
    """Node whose checkpoints they are: the last training."""
    return workspace.recipe.train_names[-1]


def training_folder(workspace: Workspace) -> tuple[Path, bool]:
    """Where that training is, or will be, and whether it has ended."""
    name = training_of(workspace)
    found = workspace.find(name)
    return (found.path, True) if found else (_work(workspace, name), False)


def _work(workspace: Workspace, name: str) -> Path:
    return artifacts.work_folder(workspace.cache, name, workspace.planned[name].key)


def steps(folder: Path) -> list[int]:
    """Whole checkpoints that stay: not those which only a signal asked for."""
    whole = checkpoints.whole(folder / "checkpoints")
    return [checkpoints.step_of(path) for path in whole if (checkpoints.marker(path) or {}).get("planned")]


def with_checkpoints(workspace: Workspace, wanted: Sequence[int]) -> Workspace:
    """The same run with these checkpoints as arms: the nodes and keys that `evaluate.checkpoints` gives them."""
    evaluate = workspace.recipe.evaluate.model_copy(update={"checkpoints": tuple(wanted)})
    return replace(workspace, recipe=workspace.recipe.model_copy(update={"evaluate": evaluate}))


def evaluations(workspace: Workspace) -> dict[int, Artifact]:
    """Every checkpoint that is evaluated, by its step."""
    if workspace.recipe.student is None:
        return {}
    there = steps(training_folder(workspace)[0])
    if not there:
        return {}
    asked = with_checkpoints(workspace, there)
    found = {step: asked.find(arm(step)) for step in there}
    return {step: artifact for step, artifact in found.items() if artifact}


def points(workspace: Workspace) -> list[Point]:
    """What every evaluated checkpoint scored, the first step first."""
    found = evaluations(workspace)
    return [Point(step, artifact.path, means(artifact.path / "items.jsonl")) for step, artifact in found.items()]


def means(items: Path) -> dict[str, float]:
    """Weighted mean of each metric, as a report has it of an arm whose items were all scored by every arm."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    with items.open(encoding="utf-8") as file:
        for line in map(json.loads, file):
            for name, score in (line["metrics"] or {}).items():
                total = sums[f"{line['suite']}.{name}"]
                total[0] += score["value"] * score["weight"]
                total[1] += score["weight"]
    return {name: value / weight for name, (value, weight) in sums.items() if weight}
