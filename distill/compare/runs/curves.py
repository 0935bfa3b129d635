"""Comparison -> how its runs came to where they are: losses by step, and what their checkpoints were worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from distill.compare.plots import slug
from distill.compare.report import Point, Score
from distill.compare.svg import Scale, colour, figure, line, marker, stretched, text
from distill.compare.value import Interval
from distill.compare.words import interval, minus, number

TOP, BOTTOM = 14.0, 200.0
FEW = 24
"""Points of a curve that are marked each; of more, the last."""


DODGE = 5.0
"""Pixels between runs at one step."""


class Place(NamedTuple):
    step: int
    value: float
    ci95: Interval | None = None


def losses(training: str, runs: Mapping[str, Sequence[Point]], marks: Mapping[str, str], real: bool) -> str:
    """Loss by step of every run, on what it learns or on real rows that are not trained on; empty where no run has it."""
    points = {
        run: [
            Place(point.step, value)
            for point in found
            if (value := point.real_loss if real else point.loss) is not None
        ]
        for run, found in runs.items()
    }
    what = "loss on real rows that are not trained on" if real else "loss on training rows"
    key = f"loss-{slug(training)}-{'real' if real else 'learnt'}"
    return _curves(key, f"{training}: {what}, nats per token", points, marks, "")


def checkpoints(name: str, unit: str, runs: Mapping[str, Mapping[int, Score]], marks: Mapping[str, str]) -> str:
    """A metric by step of every run whose checkpoints were evaluated, with 95% intervals."""
    points = {
        run: [Place(step, score.mean, score.ci95) for step, score in scores.items()] for run, scores in runs.items()
    }
    return _curves(f"steps-{slug(name)}", f"{name} by step, {unit}", points, marks, unit)


def _curves(key: str, title: str, runs: Mapping[str, Sequence[Place]], marks: Mapping[str, str], unit: str) -> str:
    runs = {run: places for run, places in runs.items() if places}
    if not runs:
        return ""
    every = [place for places in runs.values() for place in places]
    steps = [place.step for place in every]
    across = Scale(steps, left=10, right=2, pad=0 if max(steps) > min(steps) else 0.06)
    down = Scale([end for place in every for end in (place.value, *(place.ci95 or ()))], 0, 0)
    parts = []
    for tick in down.ticks(5):
        y = _y(down, tick)
        parts += [line(0, y, 100, y, "grid"), text(0, y - 4, minus(f"{tick:.6g}"), "tick")]
    for index, (run, places) in enumerate(runs.items()):
        # Runs stand a little beside each other, so that their intervals are seen apart.
        beside = DODGE * (index - (len(runs) - 1) / 2) if any(place.ci95 for place in places) else 0
        parts.append(f'<g transform="translate({beside:g} 0)">')
        parts += [*_curve(run, places, marks[run], across, down, unit), "</g>"]
    parts += [
        text(10, BOTTOM + 20, f"step {min(steps)}", "tick"),
        text(100, BOTTOM + 20, f"step {max(steps)}", "tick", "end"),
    ]
    said = "; ".join(f"{run} {_said(places, unit)}" for run, places in runs.items())
    return figure(key, BOTTOM + 26, title, f"{said}.", parts)


def _y(down: Scale, value: float) -> float:
    return TOP + (BOTTOM - TOP) * (1 - down(value) / 100)


def _curve(run: str, places: Sequence[Place], mark: str, across: Scale, down: Scale, unit: str) -> list[str]:
    """Its line, its intervals, and marks with the values, which show where the pointer rests."""
    path = " ".join(f"{across(place.step):.2f},{_y(down, place.value):.1f}" for place in places)
    parts = [stretched(BOTTOM, [f'<polyline class="curve {colour(mark)}" points="{path}"/>'])]
    for place in places:
        if place.ci95 is not None:
            x = across(place.step)
            parts.append(line(x, _y(down, place.ci95[0]), x, _y(down, place.ci95[1]), f"whisker {colour(mark)}"))
    marked = places if len(places) <= FEW else places[-1:]
    for place in marked:
        words = f"{run}, step {place.step}: {_number(place, unit)}"
        parts.append(marker(across(place.step), _y(down, place.value), mark, words))
    return parts


def _number(place: Place, unit: str) -> str:
    return f"{number(place.value, unit)} {interval(place.ci95, unit) if place.ci95 else ''}".rstrip()


def _said(places: Sequence[Place], unit: str) -> str:
    first, last = places[0], places[-1]
    if len(places) == 1:
        return f"{_number(first, unit)} at step {first.step}"
    return f"from {_number(first, unit)} at step {first.step} to {_number(last, unit)} at step {last.step}"
