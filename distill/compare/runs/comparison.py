"""Arms of several runs, compared, as a typed value: what `distill compare --json` prints, field by field."""

from __future__ import annotations

import json
from typing import Literal

from distill.compare.report import About, Pair, Point, Recovered, Score
from distill.compare.value import Value


class Column(Value):
    """An arm."""

    run: str
    arm: str
    """Its name in its run: `student`, `student@1200`, …"""
    role: Literal["teacher", "base", "chosen"]
    """A teacher or base that several runs share stands here once, under the first run that has it."""
    origin: str | None
    """`<model>@<revision>` that it started from."""
    template: str | None
    tokenizer: str | None
    failed: int
    """Of its items those that could not be scored, in all its suites."""
    seeds: int = 1
    """Trainings that differ in their seed alone; of several it is the mean."""


class Compared(About):
    """One metric on the items that every arm here was asked alike and scored."""

    right: bool
    """Of an item it is 1, right, or 0, wrong."""
    n: int
    left_out: int
    """Items that some arm here scored and another did not."""
    arms: dict[str, Score]
    gap_recovered: dict[str, Recovered]
    """Of each chosen arm, to the teacher and base of its own run."""
    paired: tuple[Pair, ...]
    """Chosen arms among themselves, then each against its base and its teacher."""


class Comparison(Value):
    arms: dict[str, Column]
    """Teachers, bases, then the chosen arms in the order they were named."""
    primary: str | None
    """Metric that decides, of the first run; None where it is not among those compared."""
    headline: str
    metrics: dict[str, Compared]
    """By `<suite>.<metric>`, the primary one first."""
    training: dict[str, dict[str, tuple[Point, ...]]]
    """Training -> run -> loss by step."""
    checkpoints: dict[str, dict[str, dict[int, Score]]]
    """Metric -> run -> step -> its student there; step 0 is the base."""
    notes: tuple[str, ...]

    @property
    def chosen(self) -> list[str]:
        return [label for label, column in self.arms.items() if column.role == "chosen"]

    @property
    def suites(self) -> dict[str, dict[str, Compared]]:
        """Suite -> metric by its short name."""
        found: dict[str, dict[str, Compared]] = {}
        for name, metric in self.metrics.items():
            suite, short = name.split(".", 1)
            found.setdefault(suite, {})[short] = metric
        return found

    def to_json(self) -> str:
        """No NaN, the same bytes for the same comparison."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
