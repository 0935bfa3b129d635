"""Curves over generations -> plots: a line and a band an arm, a mark a generation, and a dashed line to hold them against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distill.compare.plots import slug
from distill.compare.svg import MARKS, Scale, colour, figure, line, marker, stretched, text
from distill.compare.words import minus
from distill.laboratory.curves import Arm, Curve, Estimate
from distill.laboratory.findings import amount, told

TOP = 14.0
LEFT, RIGHT = 9, 2
REACH = 1.0
"""Of the means' spread: intervals that reach further are cut at the plot's edge, which is said, so that curves are seen."""
FAR = 0.5
"""Of the curves' spread: what lies further from them is named and not drawn, so that they are seen."""


def marks(arms: list[Arm]) -> dict[Arm, str]:
    """The shape and colour of every arm, in all plots."""
    return {arm: f"mark-{index % MARKS + 1}" for index, arm in enumerate(arms)}


def generations(
    title: str,
    curves: Mapping[Arm, Curve],
    by_mark: Mapping[Arm, str],
    *,
    height: float = 220,
    beside: tuple[str, float] | None = None,
) -> str:
    """A number by generation, a mean and its 95% interval an arm.

    Args:
        title: what it is, with its unit; unique on a page.
        beside: a name and a value that all are held against.
    """
    every = [place for curve in curves.values() for place in curve]
    last = max(place.generation for place in every)
    values, cut = _drawn([place.found for place in every])
    room = FAR * (max(values) - min(values))
    near = beside and min(values) - room <= beside[1] <= max(values) + room
    across = Scale([0, last], left=LEFT, right=RIGHT, pad=0)
    above = beside is not None and beside[1] > max(values)
    if beside and near:
        values.append(beside[1])
    down = Scale(values, 0, 0)

    def y(value: float) -> float:
        return TOP + (height - TOP) * (1 - down(min(max(value, min(values)), max(values))) / 100)

    parts = [text(LEFT, TOP - 2, "intervals are cut at the edge", "tick")] if cut else []
    for tick in down.ticks(max(3, round(height / 50))):
        parts += [line(LEFT, y(tick), 100, y(tick), "grid"), text(0, y(tick) + 4, minus(f"{tick:.6g}"), "tick")]
    if beside:
        parts += _beside(*beside, y(beside[1]) if near else None, above, height)
    shapes = []
    for arm, curve in curves.items():
        places = [(across(place.generation), place.found) for place in curve]
        ends = [(x, y(found.ci95[0]), y(found.ci95[1])) for x, found in places if found.ci95]
        ring = [*((x, low) for x, low, _ in ends), *((x, high) for x, _, high in reversed(ends))]
        if ends:
            path = " ".join(f"{x:.2f},{one:.1f}" for x, one in ring)
            shapes.append(f'<polygon class="spread {colour(by_mark[arm])}" points="{path}"/>')
        path = " ".join(f"{x:.2f},{y(found.value):.1f}" for x, found in places)
        shapes.append(f'<polyline class="curve {colour(by_mark[arm])}" points="{path}"/>')
    parts.append(stretched(height, shapes))
    for arm, curve in curves.items():
        for place in curve:
            words = f"{arm.name}, generation {place.generation}: {told(place.found)}"
            parts.append(marker(across(place.generation), y(place.found.value), by_mark[arm], words))
    step = max(1, round(last / 10))
    parts += [text(across(one), height + 18, str(one), "tick", "middle") for one in range(0, last + 1, step)]
    parts.append(text(100, height + 34, "generation", "tick", "end"))
    words = "; ".join(
        f"{arm.name} from {told(curve[0].found)} to {told(curve[-1].found)} in generation {curve[-1].generation}"
        for arm, curve in curves.items()
    )
    return figure(f"curve-{slug(title)}", height + 40, title, f"By generation: {words}.", parts)


def _drawn(every: Sequence[Estimate]) -> tuple[list[float], bool]:
    """Means and the ends of their intervals, these no further out than `REACH`, and whether one was."""
    means = [found.value for found in every]
    ends = [end for found in every for end in found.ci95 or ()]
    spread = max(means) - min(means)
    low, high = min(means) - REACH * spread, max(means) + REACH * spread
    if not spread:
        return [*means, *ends], False
    return [*means, *(min(max(end, low), high) for end in ends)], any(not low <= end <= high for end in ends)


def _beside(name: str, value: float, y: float | None, above: bool, height: float) -> list[str]:
    """The line to hold curves against, or only words where it lies far from all of them."""
    if y is None:
        words = f"{name} {amount(value)}, off the {'top' if above else 'bottom'}"
        return [text(100, TOP - 2 if above else height - 5, words, "tick", "end")]
    lower = y > TOP + 14
    words = text(100, y + (-5 if lower else 15), f"{name} {amount(value)}", "tick", "end")
    return [line(LEFT, y, 100, y, "limit"), words]
