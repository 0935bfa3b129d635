"""What every part of report.json is: frozen, without unknown keys, and without a number that is not finite."""

from __future__ import annotations

from pydantic import ConfigDict

from distill.rows import Frozen

Interval = tuple[float, float]
"""Low and high end of a 95% interval."""


class Value(Frozen):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
