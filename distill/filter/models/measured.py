"""What filters by a model's number have in common: a name for the score, bounds, and a row that could not be measured.

A row without a number is `missing`: never one with the number 0.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from distill.filter.bindings import FilterSpec
from distill.protocols import Verdict

MISSING = "missing"
"""Reason of a row that could not be measured."""


class Measured(FilterSpec):
    """A filter that asks a model for a number."""

    name: str | None = None
    """Name of the score in the rows that are kept; the kind when not given."""
    missing: Literal["drop", "keep"] = "drop"
    """What becomes of a row that could not be measured; one that is kept has no score."""

    COSTLY: ClassVar[bool] = True

    @property
    def label(self) -> str:
        return self.name or self.kind

    def unmeasured(self, why: str) -> Verdict:
        """The verdict on a row without a number."""
        return Verdict(self.missing == "keep", MISSING, None, why)


def bounded(value: float, low: float | None, high: float | None, reasons: tuple[str, str], unit: str) -> Verdict:
    """Kept between the bounds, which belong to what is kept; the value is the score.

    Args:
        reasons: of what is under and of what is above.
    """
    score = round(value, 4)
    if low is not None and value < low:
        return Verdict(False, reasons[0], score, f"{unit} {score:g}, under {low:g}")
    if high is not None and value > high:
        return Verdict(False, reasons[1], score, f"{unit} {score:g}, above {high:g}")
    return Verdict(True, score=score)


class Tally:
    """Counts the rows that were kept without a number, which nobody would see otherwise."""

    def __init__(self) -> None:
        self._rows = self._kept = 0

    def entered(self, verdicts: list[Verdict]) -> list[Verdict]:
        """The verdicts, counted."""
        self._rows += len(verdicts)
        self._kept += sum(verdict.keep and verdict.reason == MISSING for verdict in verdicts)
        return verdicts

    def notes(self) -> list[str]:
        """What was not said yet."""
        rows, kept = self._rows, self._kept
        self._rows = self._kept = 0
        return [f"{kept} of {rows} rows could not be measured and were kept"] if kept else []
