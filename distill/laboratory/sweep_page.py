"""Sweep -> sweep.json, sweep.html and sweep.md in a folder, and what a terminal shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.compare import marked
from distill.compare.marked import inline
from distill.compare.svg import Scale, bar, figure, line, stretched, text
from distill.compare.terminal import Cells, align
from distill.compare.words import interval, minus, number, percent, seconds
from distill.laboratory.page import page, put, unbroken
from distill.laboratory.record import SWEEP, Sweep
from distill.laboratory.sweep import Fit, Tried, fit

TOP, BOTTOM = 14.0, 280.0
LEFT = 9


@dataclass(frozen=True)
class Line:
    """A share of the table."""

    tried: Tried
    rows: int
    seconds: float


def write(sweep: Sweep, folder: Path) -> None:
    """Writes the three files, each whole or not at all.

    Raises:
        CompareError: fewer than two shares were tried.
    """
    found = fit(sweep)
    put(folder / SWEEP, sweep.to_json())
    put(folder / "sweep.html", render(sweep, found))
    put(folder / "sweep.md", markdown(sweep, found))


def headline(found: Fit) -> str:
    """The recommended share, or that there is none to recommend."""
    if len(found.tried) == 2:
        return _apart(found)
    low, high = found.tried[0].share, found.tried[-1].share
    if found.ci95 is None:
        return f"Students are best at {percent(found.best)} teacher rows; how sure that is, one seed cannot say."
    if found.flat:
        return f"No share of teacher rows from {percent(low)} to {percent(high)} can be told from another."
    ends = f"[{percent(found.ci95[0])[:-1]}, {percent(found.ci95[1])[:-1]}]"
    if found.end:
        return f"Students are best at the {found.end} share of teacher rows tried: {percent(found.best)} {ends}."
    return f"Students are best at {percent(found.best)} {ends} teacher rows."


def _apart(found: Fit) -> str:
    """Of two shares the difference alone: where between them or beyond a student is best they do not say."""
    lower, higher = sorted(found.tried, key=lambda tried: tried.loss)
    low, high = sorted(one.share for one in found.tried)
    size = f"{number(higher.above)}{f' {interval(higher.above_ci95)}' if higher.above_ci95 else ''} nats per token"
    if found.ci95 is not None and found.flat:
        return f"{percent(low)} and {percent(high)} teacher rows cannot be told apart: {size}."
    sure = "" if found.ci95 else "; how sure that is, one seed cannot say"
    return f"At {percent(lower.share)} teacher rows the real loss is lower than at {percent(higher.share)}, by {size}{sure}."


def findings(sweep: Sweep, found: Fit) -> list[str]:
    """What stands behind the headline."""
    if len(found.tried) == 2:
        return [
            "Two shares have a difference and no best: three or more say where students are best.",
            *_unequal(sweep),
        ]
    lowest = min(found.tried, key=lambda tried: tried.loss)
    by_curve = min(loss for _, loss, _ in found.curve)
    none, all_of_them = (next((one for one in found.tried if one.share == share), None) for share in (0.0, 1.0))
    lines = [
        f"Lowest of the shares tried: {percent(lowest.share)}, at {number(lowest.loss)} nats per token. The curve, "
        f"{_curve(found)}, is lowest at {percent(found.best)}, at {number(by_curve)}."
    ]
    for tried, what in ((none, "people's rows alone"), (all_of_them, "teacher rows alone")):
        if tried and tried != lowest:
            ends = f" {interval(tried.above_ci95)}" if tried.above_ci95 else ""
            lines.append(f"With {what} {number(tried.loss)}, {number(tried.above)}{ends} above the curve's lowest.")
    if found.flat and found.p_flat is not None:
        lines.append(
            f"Noise alone bends a curve as much as this in {percent(found.p_flat)} of cases: take what costs least."
        )
    elif found.end and 0 < found.best < 1:
        more = "More" if found.end == "greatest" else "Fewer"
        lines.append(f"{more} teacher rows than were tried may be better still.")
    return [*lines, *_unequal(sweep)]


def _unequal(sweep: Sweep) -> list[str]:
    if len({point.rows for point in sweep.points}) == 1:
        return []
    return ["Students were not trained on as many rows each: what the share does is not told from what more rows do."]


def _curve(found: Fit) -> str:
    if found.kind == "falls and rises":
        return "one that falls and then rises, as a parabola does not fit"
    return "a straight line" if found.kind == "line" else "a parabola"


def notes(found: Fit) -> list[str]:
    lines = {
        "seeds and items": "Intervals are over training seeds and items: of how shares lie beside each other alone.",
        "seeds": "Losses by item are not known: intervals are over training seeds alone.",
        "items": "One training seed: intervals are over items alone, and another seed may move the best share further.",
        "nothing": "One training seed, and no losses by item: there is nothing to take an interval of.",
    }
    return [lines[found.over], "It holds for this teacher, these data and this budget."]


def render(sweep: Sweep, found: Fit) -> str:
    """The whole page."""
    from markupsafe import Markup

    return page(
        "sweep.html.j2",
        sweep,
        kind="how much of the teacher",
        file=SWEEP,
        headline=unbroken(headline(found)),
        found=[unbroken(line) for line in findings(sweep, found)],
        notes=notes(found),
        plot=Markup(plot(sweep, found)),
        rows=_lines(sweep, found),
    )


def _lines(sweep: Sweep, found: Fit) -> list[Line]:
    lines = []
    for tried in found.tried:
        own = [point for point in sweep.points if point.share == tried.share]
        mean = sum(point.seconds for point in own) / len(own)
        lines.append(Line(tried, round(sum(point.rows for point in own) / len(own)), mean))
    return lines


def markdown(sweep: Sweep, found: Fit) -> str:
    """The whole file."""
    rows = [
        [percent(one.tried.share), _loss(one.tried), str(one.tried.seeds), f"{one.rows:,}", seconds(one.seconds)]
        for one in _lines(sweep, found)
    ]
    lines = [*findings(sweep, found), *notes(found), *(f"{key}: {value}" for key, value in sweep.settings.items())]
    parts = [
        f"# {inline(sweep.name)}",
        f"**{inline(headline(found))}**",
        marked.table(["teacher rows", "real loss", "students", "rows of each", "a student took"], rows),
        "\n".join(f"- {inline(one)}" for one in lines),
    ]
    return "\n\n".join(parts) + "\n"


def table(sweep: Sweep) -> str:
    """What a terminal shows: a line a share, then what it comes to."""
    found = fit(sweep)
    lines: list[Cells | str] = [["teacher rows", "real loss", "students"]]
    lines += [[percent(one.share), _loss(one), str(one.seeds)] for one in found.tried]
    about = ["", *findings(sweep, found), *(f"! {note}" for note in notes(found)), "", headline(found)]
    return "\n".join([*align(lines), *about])


def _loss(tried: Tried) -> str:
    return f"{number(tried.loss)} {interval(tried.ci95)}" if tried.ci95 else number(tried.loss)


def plot(sweep: Sweep, found: Fit) -> str:
    """Every student, means with their intervals, the curve with its band, and where it is lowest."""
    ends = [end for one in found.tried for end in (one.loss, *(one.ci95 or ()))]
    down = Scale([*ends, *(point.loss for point in sweep.points), *(loss for _, loss, _ in found.curve)], 0, 0)
    across = Scale([one.share for one in found.tried], left=LEFT, right=2, pad=0)

    def y(value: float) -> float:
        return min(max(TOP + (BOTTOM - TOP) * (1 - down(value) / 100), 0), BOTTOM)

    parts = []
    recommended = len(found.tried) > 2 and not found.flat
    if found.ci95 and recommended:
        low, high = (across(end) for end in found.ci95)
        words = f"best share {percent(found.best)}, 95% interval {percent(found.ci95[0])} to {percent(found.ci95[1])}"
        parts.append(bar(low, TOP, max(high - low, 0.3), BOTTOM - TOP, "best", words))
    for tick in down.ticks(5):
        parts += [line(LEFT, y(tick), 100, y(tick), "grid"), text(0, y(tick) + 4, minus(f"{tick:.6g}"), "tick")]
    shapes = []
    if band := [(across(share), y(ends[0]), y(ends[1])) for share, _, ends in found.curve if ends]:
        ring = [*((x, low) for x, low, _ in band), *((x, high) for x, _, high in reversed(band))]
        shapes.append(f'<polygon class="fitted" points="{_path(ring)}"/>')
    shapes.append(f'<polyline class="fit" points="{_path([(across(x), y(loss)) for x, loss, _ in found.curve])}"/>')
    parts.append(stretched(BOTTOM, shapes))
    if recommended:
        parts.append(line(across(found.best), TOP, across(found.best), BOTTOM, "limit at"))
    for point in sweep.points:
        parts.append(_dot(across(point.share), y(point.loss), 3, "seed", f"seed {point.seed}: {number(point.loss)}"))
    for one in found.tried:
        x = across(one.share)
        if one.ci95:
            parts.append(line(x, y(one.ci95[0]), x, y(one.ci95[1]), "whisker plain"))
        parts.append(_dot(x, y(one.loss), 4.5, "mean", f"{percent(one.share)} teacher rows: {_loss(one)}"))
        parts.append(text(x, BOTTOM + 18, percent(one.share), "tick", "end" if x > 95 else "middle"))
    parts.append(text(100, BOTTOM + 34, "teacher rows", "tick", "end"))
    said = "; ".join(f"{percent(one.share)} {_loss(one)}" for one in found.tried)
    return figure("sweep", BOTTOM + 40, "Real loss by share of teacher rows", f"{said}. {headline(found)}", parts)


def _path(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{y:.1f}" for x, y in places)


def _dot(x: float, y: float, size: float, kind: str, words: str) -> str:
    return f'<circle class="{kind}" cx="{x:.2f}%" cy="{y:.1f}" r="{size:g}"><title>{words}</title></circle>'
