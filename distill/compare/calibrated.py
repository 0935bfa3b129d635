"""arms whose lines have a confidence -> how well it fits what was right, by suite."""

from __future__ import annotations

from collections.abc import Sequence

from distill.compare.arms import BASE, STUDENT, TEACHER, Arm, Item
from distill.compare.findings import ArmCalibration, Bin, Calibration, ErrorDifference
from distill.errors import CompareError
from distill.statistics.calibration import Calibrated, Choices
from distill.statistics.calibration import Calibration as Measured


def calibrated(arms: Sequence[Arm], seed: int) -> tuple[dict[str, Calibration], list[str]]:
    """Every suite whose items are chosen, on the items that all arms chose, and why one has no answer."""
    found: dict[str, Calibration] = {}
    notes: list[str] = []
    for suite in dict.fromkeys(suite for arm in arms for suite, _ in arm.items):
        if not any(item.confidence is not None for arm in arms for key, item in arm.items.items() if key[0] == suite):
            continue
        right = _right(arms[0], suite)
        if right is None:
            notes.append(
                f"The calibration of {suite} is not reported: none of its metrics says whether the choice was right."
            )
            continue
        chosen = {
            arm.name: {key for key, item in arm.items.items() if key[0] == suite and _usable(item, right)}
            for arm in arms
        }
        having = [arm for arm in arms if chosen[arm.name]]
        if not having:
            continue
        keys = sorted(set.intersection(*(chosen[arm.name] for arm in having)))
        roots = [having[0].items[key].root for key in keys]
        sure = {
            arm.name: Choices(
                [arm.items[key].confidence or 0.0 for key in keys],
                [arm.items[key].metrics[right][0] for key in keys],
            )
            for arm in having
        }
        try:
            measured = Measured(sure, roots, seed=seed)
        except CompareError as error:
            notes.append(f"The calibration of {suite} is not reported: {error.message}.")
            continue
        pairs = [(a, b) for a, b in ((STUDENT, BASE), (STUDENT, TEACHER)) if {a, b} <= sure.keys()]
        found[suite] = Calibration(
            arms={name: _arm(measured.of(name)) for name in sure},
            paired=tuple(_pair(measured, a, b) for a, b in pairs),
        )
    return found, notes


def _right(arm: Arm, suite: str) -> str | None:
    """The metric that says whether the choice that the confidence is of was right."""
    own = (
        name.partition(".")[2] for name, metric in arm.metrics.items() if metric.chosen and name.startswith(f"{suite}.")
    )
    return next(own, None)


def _usable(item: Item, right: str) -> bool:
    """Whether the arm chose, and it is known whether that was right; a confidence that is no number is none."""
    sure = item.confidence is not None and 0 <= item.confidence <= 1
    return sure and right in item.metrics and item.metrics[right][0] in (0, 1)


def _arm(found: Calibrated) -> ArmCalibration:
    return ArmCalibration(
        error=found.error.value,
        ci95=(found.error.low, found.error.high),
        confidence=found.confidence,
        accuracy=found.accuracy,
        n=found.error.n,
        bins=tuple(
            Bin(low=one.low, high=one.high, n=one.n, confidence=one.confidence, accuracy=one.accuracy)
            for one in found.bins
        ),
    )


def _pair(measured: Measured, a: str, b: str) -> ErrorDifference:
    found = measured.difference(a, b)
    return ErrorDifference(a=a, b=b, difference=found.value, ci95=(found.low, found.high))
