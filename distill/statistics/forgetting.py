"""student, base, a margin -> has the student lost more than the margin of what the base could do?

A test of non-inferiority: "no significant loss" is no evidence that nothing was lost, and few items would always show it. Here
the burden is the other way round: `not worse` needs the one-sided 95% bound of the change to clear the margin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from distill.rows import Frozen
from distill.statistics.intervals import t_quantile
from distill.statistics.panel import Panel
from distill.statistics.scores import LEVEL, POWER, Direction, Interval

Kept = Literal["not worse", "worse", "cannot tell"]
MetricName = Annotated[str, StringConstraints(pattern=r"^[^.]+\..+$")]


class Forgetting(Frozen):
    """What the student should not lose against its base."""

    metrics: tuple[MetricName, ...] = Field(min_length=1)
    """`<suite>.<metric>` each."""
    margin: float = Field(gt=0)
    """The most that may be lost, in the metric's own unit: 0.02 is two points of an accuracy."""
    relative: bool = False
    """The margin is a share of the base's mean instead, for metrics that have different units."""


@dataclass(frozen=True)
class Change:
    """From base to student; above zero is better, whichever way the metric goes."""

    gain: Interval
    """Between its two one-sided 95% bounds."""
    margin: float
    """In the metric's unit."""
    verdict: Kept
    needed: int | None
    """Items that settle it in 80% of cases if the gain is the one seen; None where it lies on the margin, or where no number
    of items would do because training seeds differ by as much."""


def change(panel: Panel, student: str, base: str, direction: Direction, asked: Forgetting) -> Change:
    """Whether the student is not worse than its base by more than the margin.

    `worse` is said where even the other bound is past the margin. In between, nothing is said but how many items would do.
    With a margin that is a share of the base's mean, that mean is resampled with the rest.
    """
    sign = 1 if direction == "higher" else -1
    margin = asked.margin * abs(panel.value(base)) if asked.relative else asked.margin
    two_sided = 2 * LEVEL - 1  # each end of it is a one-sided bound of 95%

    # How far above the margin: sign (student - base) + margin.
    contrast: dict[str, float] = {student: sign, base: -sign}
    if asked.relative:
        contrast[base] += math.copysign(asked.margin, panel.value(base))
        room = panel.estimate(
            lambda one, other: contrast[student] * one + contrast[base] * other, student, base, level=two_sided
        )
        gain = Interval(room.value - margin, room.low - margin, room.high - margin, room.n)
    else:
        found = panel.difference(student, base, two_sided)
        ends = (found.low, found.high) if sign > 0 else (-found.high, -found.low)
        gain = Interval(sign * found.value, *ends, found.n)
    verdict: Kept = "not worse" if gain.low > -margin else "worse" if gain.high < -margin else "cannot tell"
    freedom = panel.error(contrast)[1]
    reach = t_quantile(LEVEL, freedom) + t_quantile(POWER, freedom)
    needed = panel.needed(abs(gain.value + margin), reach, contrast) if gain.value + margin else None
    return Change(gain, margin, verdict, needed)
