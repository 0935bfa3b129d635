"""two or three arms -> one estimate of them; a `Panel` makes many of many arms with the same draws."""

from __future__ import annotations

from distill.statistics.panel import Panel
from distill.statistics.scores import RESAMPLES, Direction, Interval, Paired, Ratio, Scores


def mean(scores: Scores, *, right: bool = False, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Weighted mean of an arm."""
    return Panel({"arm": scores}, right=right, seed=seed, resamples=resamples).mean("arm")


def paired(
    a: Scores, b: Scores, direction: Direction, *, right: bool = False, seed: int = 0, resamples: int = RESAMPLES
) -> Paired:
    """Difference a - b on the items both arms scored."""
    return Panel({"a": a, "b": b}, right=right, seed=seed, resamples=resamples).paired([("a", "b")], direction)[0]


def gap_recovered(
    teacher: Scores,
    base: Scores,
    student: Scores,
    direction: Direction,
    *,
    right: bool = False,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Ratio:
    """Share of the gap between base and teacher that the student closed."""
    panel = Panel({"teacher": teacher, "base": base, "student": student}, right=right, seed=seed, resamples=resamples)
    return panel.gap_recovered("teacher", "base", "student", direction)
