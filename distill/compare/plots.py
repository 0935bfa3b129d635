"""Report -> its plots: arms by metric, gap recovered, training loss, the flow of rows, drops by reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distill.compare.arms import BASE, STUDENT, TEACHER
from distill.compare.report import About, Data, Metric, Point, Recovered, Score
from distill.compare.svg import Scale, bar, figure, line, marker, stretched, text, whisker
from distill.compare.words import arrow, interval, minus, number, percent, recovered

ROW = 44
SMALL = 34


def hero(name: str, metric: Metric) -> str:
    """The road from base to teacher and how far the student came; empty where there is no such road."""
    gap, arms = metric.gap_recovered, metric.arms
    if gap.value is None or gap.ci95 is None:
        return ""
    scale = Scale([0, 1, *gap.ci95], 1, 1, pad=0)
    y, middle = 60.0, min(max(scale(gap.value), 14), 86)
    parts = [
        line(scale(0), y, scale(1), y, "road"),
        line(scale(0), y, scale(gap.value), y, "road done"),
        whisker(scale, y, *gap.ci95, STUDENT),
        marker(scale(0), y, BASE, f"base {number(arms[BASE].mean, metric.unit)}"),
        marker(scale(1), y, TEACHER, f"teacher {number(arms[TEACHER].mean, metric.unit)}"),
        marker(scale(gap.value), y, STUDENT, f"student {number(arms[STUDENT].mean, metric.unit)}, {recovered(gap)}"),
        text(middle, 20, percent(gap.value), "big", "middle"),
        text(middle, 42, f"student {number(arms[STUDENT].mean, metric.unit)}", anchor="middle"),
        text(scale(0), 88, f"base {number(arms[BASE].mean, metric.unit)}", shift=-6),
        text(scale(1), 88, f"teacher {number(arms[TEACHER].mean, metric.unit)}", anchor="end", shift=6),
    ]
    description = (
        f"From base (0%) to teacher (100%) in {name}, the student is at {recovered(gap)} with its 95% interval."
    )
    return figure("hero", 96, f"Gap recovered in {name}", description, parts)


def arms(name: str, metric: Metric) -> str:
    """Mean and 95% interval of every arm in one metric."""
    return intervals(name, metric, metric.arms, {})


def intervals(name: str, about: About, scores: Mapping[str, Score], marks: Mapping[str, str]) -> str:
    """Mean and 95% interval of every arm, each by its mark (`svg.SHAPES`): by its name where none is given."""
    scale = Scale([end for score in scores.values() for end in (*score.ci95, score.mean)])
    height = ROW * len(scores) + 14
    parts = _grid(scale, len(scores), [minus(f"{tick:.4g}") for tick in scale.ticks()])
    for index, (arm, score) in enumerate(scores.items()):
        y, words = ROW * index, f"{number(score.mean, about.unit)} {interval(score.ci95, about.unit)}"
        mark = marks.get(arm, arm)
        parts += [
            text(0, y + 13, arm),
            text(100, y + 13, words, "value", "end"),
            whisker(scale, y + 28, *score.ci95, mark),
            marker(scale(score.mean), y + 28, mark, f"{arm}: {words}, {score.n} items"),
        ]
    said = "; ".join(
        f"{arm} {number(score.mean, about.unit)} {interval(score.ci95, about.unit)}" for arm, score in scores.items()
    )
    title = f"{name}, {about.unit} {arrow(about)} {about.direction} is better"
    return figure(f"arms-{slug(name)}", height, title, f"Means with 95% intervals: {said}.", parts)


def gaps(key: str, title: str, rows: Mapping[str, Recovered]) -> str:
    """Gap recovered, a row each, with the base at 0% and the teacher at 100%."""
    scale = Scale([0.0, 1.0, *(end for gap in rows.values() if gap.ci95 for end in gap.ci95)])
    height = ROW * len(rows) + 14
    parts = _grid(scale, len(rows), [percent(tick) for tick in scale.ticks()])
    for index, (name, gap) in enumerate(rows.items()):
        y = ROW * index
        parts += [text(0, y + 13, name), text(100, y + 13, recovered(gap), "value", "end")]
        parts += [line(scale(end), y + 20, scale(end), y + 36, "limit") for end in (0, 1)]
        if gap.value is not None and gap.ci95 is not None:
            parts.append(whisker(scale, y + 28, *gap.ci95, STUDENT))
            parts.append(marker(scale(gap.value), y + 28, STUDENT, f"{name}: {recovered(gap)}"))
    said = "; ".join(f"{name} {recovered(gap)}" for name, gap in rows.items())
    return figure(key, height, title, f"0% is the base, 100% the teacher: {said}.", parts)


def training(name: str, points: Sequence[Point]) -> str:
    """Loss by step on what is learnt, and on real rows that are not; the values show where the pointer rests."""
    bottom = 196.0
    learnt = [(point.step, point.loss) for point in points if point.loss is not None]
    real = [(point.step, point.real_loss) for point in points if point.real_loss is not None]
    across = Scale([point.step for point in points], left=9, right=1, pad=0)
    down = Scale([loss for _, loss in (*learnt, *real)], 0, 0)

    def places(curve: Sequence[tuple[int, float]]) -> list[tuple[int, float, float, float]]:
        return [(step, loss, across(step), bottom * (1 - down(loss) / 100)) for step, loss in curve]

    parts = []
    for tick in down.ticks():
        y = bottom * (1 - down(tick) / 100)
        parts += [line(0, y, 100, y, "grid"), text(0, y - 4, minus(f"{tick:g}"), "tick")]
    for kind, curve in (("curve", learnt), ("curve real", real)):
        path = " ".join(f"{x:.2f},{y:.1f}" for _, _, x, y in places(curve))
        parts.append(stretched(bottom, [f'<polyline class="{kind}" points="{path}"/>']) if curve else "")
    parts += [_spot(x, y, f"step {step}: loss {number(loss)}", "spot") for step, loss, x, y in places(learnt)]
    parts += [
        _spot(x, y, f"step {step}: on real rows {number(loss)}", "spot real") for step, loss, x, y in places(real)
    ]
    steps = [point.step for point in points]
    parts += [text(9, 214, f"step {steps[0]}", "tick"), text(100, 214, f"step {steps[-1]}", "tick", "end")]
    said = f"From {number(learnt[0][1])} at step {learnt[0][0]} to {number(learnt[-1][1])} at step {learnt[-1][0]}."
    if real:
        kept = next((point.step for point in points if point.kept), None)
        parts += [*_kept(kept, places(real)), *_legend(238)]
        said += f" On real rows from {number(real[0][1])} to {number(real[-1][1])}; step {kept} is kept."
    return figure(name.replace("/", "-"), 246 if real else 220, f"{name}: loss by step", said, parts)


def _spot(x: float, y: float, words: str, kind: str) -> str:
    size = 3.5 if kind == "spot real" else 5
    return f'<circle class="{kind}" cx="{x:.2f}%" cy="{y:.1f}" r="{size:g}"><title>{words}</title></circle>'


def _kept(step: int | None, places: Sequence[tuple[int, float, float, float]]) -> list[str]:
    """A ring around the checkpoint that the student is."""
    found = [(x, y) for one, _, x, y in places if one == step]
    return [
        part
        for x, y in found
        for part in (
            f'<circle class="kept" cx="{x:.2f}%" cy="{y:.1f}" r="7.5"/>',
            text(x, y + 23 if y < 170 else y - 13, f"kept: step {step}", "tick", _anchor(x)),
        )
    ]


def _anchor(x: float) -> str:
    """So that words at this place stay inside."""
    return "start" if x < 20 else "end" if x > 80 else "middle"


def _legend(y: float) -> list[str]:
    return [
        line(9, y - 4, 13, y - 4, "curve"),
        text(14, y, "training rows", "tick"),
        line(47, y - 4, 51, y - 4, "curve real"),
        text(52, y, "real rows, not trained on", "tick"),
    ]


def drops(counts: Mapping[str, int]) -> str:
    """Dropped rows by reason, the commonest first."""
    most = max(counts.values())
    parts = []
    for index, (reason, count) in enumerate(counts.items()):
        y = SMALL * index
        parts += [
            text(0, y + 13, reason),
            text(100, y + 13, f"{count:,}", "value", "end"),
            bar(0, y + 19, 100, 8, "track"),
            bar(0, y + 19, 100 * count / most, 8, "flow-dropped", f"{reason}: {count:,}"),
        ]
    said = "; ".join(f"{reason} {count}" for reason, count in counts.items())
    return figure("drops", SMALL * len(counts), "Dropped rows by reason", f"{said}.", parts)


def flow(data: Data) -> str:
    """Requested rows on the left, what became of them in the middle, the training mix on the right; bands are rows."""
    dropped, rows = sum(data.dropped.values()), data.train_rows + data.preference_rows
    taught = rows - data.real
    gap, room = 22.0, 150.0
    unit = room / max(1, data.requested + data.real)
    real = data.real * unit
    top = real + gap if data.real else 0.0
    ends = [("kept", data.kept), ("dropped", dropped), ("failed", data.failed), ("missing", data.missing)]
    ends = [(name, count) for name, count in ends if count or name == "kept"]
    bands, parts = [], []
    left, right = top, top
    for name, count in ends:
        thick = max(1.5, count * unit)
        bands.append(_band(2, left, 44, right, thick, f"flow-{name}", f"{count:,} {name}"))
        parts += [
            bar(44, right, 2, thick, f"flow-{name}"),
            text(46, right + thick / 2 + 4, f"{count:,} {name}", shift=6),
        ]
        if name == "kept":
            bands.append(_band(46, right, 98, real, taught * unit, "flow-kept", f"{taught:,} teacher rows in the mix"))
        left, right = left + count * unit, right + thick + gap
    if data.real:
        bands.append(_band(2, 0, 98, 0, real, "flow-real", f"{data.real:,} real rows in the mix"))
        parts += [bar(0, 0, 2, real, "flow-real"), text(2, max(12, real / 2 + 4), f"{data.real:,} real", shift=6)]
    mixed = rows * unit
    parts += [
        bar(0, top, 2, data.requested * unit, "flow-asked"),
        text(2, top + data.requested * unit / 2 + 4, f"{data.requested:,} requested", shift=6),
        bar(98, 0, 2, mixed, "flow-asked"),
        text(98, mixed / 2, f"{rows:,} rows", "strong", "end", shift=-6),
        text(98, mixed / 2 + 17, "to train on", "label", "end", shift=-6),
    ]
    height = max(right, top + data.requested * unit) + 2
    said = (
        f"{data.requested} requested: {', '.join(f'{count} {name}' for name, count in ends)}. "
        f"{taught} teacher rows and {data.real} real rows are trained on."
    )
    return figure("flow", height, "Where the rows went", said, [stretched(height, bands), *parts])


def _band(x1: float, y1: float, x2: float, y2: float, thick: float, kind: str, words: str) -> str:
    """A ribbon of constant thickness between two edges."""
    half = (x1 + x2) / 2
    path = (
        f"M{x1},{y1:.1f}C{half},{y1:.1f} {half},{y2:.1f} {x2},{y2:.1f}V{y2 + thick:.1f}"
        f"C{half},{y2 + thick:.1f} {half},{y1 + thick:.1f} {x1},{y1 + thick:.1f}Z"
    )
    return f'<path class="band {kind}" d="{path}"><title>{words}</title></path>'


def _grid(scale: Scale, rows: int, labels: Sequence[str]) -> list[str]:
    """A rail for each row with marks at round values, named below; between the rails is room for words."""
    parts = [line(0, ROW * row + 28, 100, ROW * row + 28, "grid") for row in range(rows)]
    for tick, label in zip(scale.ticks(), labels, strict=True):
        x = scale(tick)
        anchor = "start" if x < 4 else "end" if x > 96 else "middle"
        parts += [line(x, ROW * row + 23, x, ROW * row + 33, "grid") for row in range(rows)]
        parts.append(text(x, ROW * rows + 10, label, "tick", anchor))
    return parts


def slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)
