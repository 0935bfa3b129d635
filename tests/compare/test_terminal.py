"""The terminal's table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distill.compare import stage
from distill.compare.terminal import table

Make = Callable[..., dict[str, Path]]


@pytest.fixture
def report(make_run: Make) -> dict[str, Any]:
    spec = stage.Spec(name="quickstart", use="research", primary="heldout_teacher.loss", seed=17)
    return dict(json.loads(stage.build(spec, make_run()).to_json()))


def test_table_has_arms_across_and_metrics_down(report: dict[str, Any]) -> None:
    lines = table(report).splitlines()
    assert lines[0].split() == ["items", "teacher", "base", "student", "gap", "recovered"]
    loss = next(line for line in lines if line.startswith("* loss"))
    mean = f"{report['metrics']['heldout_teacher.loss']['arms']['student']['mean']:.3f}"
    assert f"{mean} ±" in loss and "51% [" in loss and " 60 " in loss
    assert len({len(line) for line in lines if "±" in line and "Mean" not in line}) == 1  # columns are aligned
    assert lines[-1] == report["headline"]


def test_undefined_gaps_are_explained_under_the_table(report: dict[str, Any]) -> None:
    report["metrics"]["heldout_real.loss"]["gap_recovered"] = {"value": None, "ci95": None, "undefined": "no reason"}
    assert "Undefined in heldout_real.loss: no reason." in table(report)
