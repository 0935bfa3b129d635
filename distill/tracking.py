"""a finished report -> the trackers of `runtime.report_to`: every arm's mean of every metric, as of the student's last step."""

from __future__ import annotations

import json
from typing import Any

from distill import trackers
from distill.artifacts import Artifact
from distill.names import job_name
from distill.workspace import Workspace


def hand_over(workspace: Workspace, name: str, artifact: Artifact) -> None:
    """After a node was made: if it is the report, tell the trackers. A tracker that fails is said, and costs nothing else."""
    names = workspace.recipe.runtime.report_to
    if name != "compare" or not names or not workspace.ranks.main:
        return
    training = workspace.recipe.train_names[-1]
    found = workspace.find(training)
    if found is None:
        return
    report = json.loads((artifact.path / "report.json").read_text(encoding="utf-8"))
    step = int(found.summary["kept"]["ended"])
    try:
        trackers.report(names, workspace.tracked(training), values(report), step)
    except Exception as error:  # of a library, a server or a network that is not ours
        workspace.context.say(
            f"  the report's numbers did not reach {', '.join(names)}: {type(error).__name__}: {error}"
        )


def values(report: dict[str, Any]) -> dict[str, float]:
    """`report/<suite>.<metric>/<arm>`, and what of the gap was recovered; by names that every tracker takes."""
    found: dict[str, float] = {}
    for metric, about in report["metrics"].items():
        found |= {f"report/{metric}/{job_name(arm)}": score["mean"] for arm, score in about["arms"].items()}
        if about["gap_recovered"]["value"] is not None:
            found[f"report/{metric}/gap_recovered"] = about["gap_recovered"]["value"]
    return found
