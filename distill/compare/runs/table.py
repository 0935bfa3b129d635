"""Comparison -> what a terminal shows: metrics down, arms across; then how they differ, item by item."""

from __future__ import annotations

from collections.abc import Iterator

from distill.compare.report import Pair
from distill.compare.runs.comparison import Compared, Comparison
from distill.compare.terminal import Cells, align
from distill.compare.words import (
    VERDICTS,
    arrow,
    detectable,
    interval,
    p_value,
    recovered,
    signed,
    with_ends,
)


def table(comparison: Comparison) -> str:
    """Means with half their 95% intervals, the gap that each chosen arm recovered, and what may be said of pairs."""
    lines: list[Cells | str] = [["", "items", *comparison.arms]]
    for suite, metrics in comparison.suites.items():
        lines.append(suite)
        for short, metric in metrics.items():
            star = "*" if f"{suite}.{short}" == comparison.primary else " "
            cells = [_cell(label, metric) for label in comparison.arms]
            lines.append([f"{star} {short} {arrow(metric)} {metric.unit}", f"{metric.n:,}", *cells])
    return "\n".join(
        [
            *align(lines),
            "",
            "Mean \u00b1 half the 95% interval, and the gap between base and teacher recovered; * decides; "
            "\u2193 lower, \u2191 higher is better.",
            *_differences(comparison),
            "",
            *(f"! {note}" for note in comparison.notes),
            "",
            comparison.headline,
        ]
    )


def _cell(label: str, metric: Compared) -> str:
    score = metric.arms.get(label)
    if score is None:
        return "-"
    mean = with_ends(score, metric.unit)
    gap = metric.gap_recovered.get(label)
    return f"{mean}  {recovered(gap)}" if gap is not None else mean


def _differences(comparison: Comparison) -> Iterator[str]:
    """Every chosen arm against the first, and in the metric that decides all against all."""
    chosen = comparison.chosen
    pairs = {
        name: [pair for pair in metric.paired if _wanted(pair, chosen, name == comparison.primary)]
        for name, metric in comparison.metrics.items()
    }
    if not any(pairs.values()):
        return
    lines: list[Cells | str] = [["difference", "", "95% interval", "p", "detectable", "verdict"]]
    for name, found in pairs.items():
        metric = comparison.metrics[name]
        lines += [name] if found else []
        lines += [_difference(pair, metric.unit) for pair in found]
    yield ""
    yield from align(lines)


def _wanted(pair: Pair, chosen: list[str], all_of_them: bool) -> bool:
    return pair.a in chosen and (pair.b == chosen[0] or (all_of_them and pair.b in chosen))


def _difference(pair: Pair, unit: str) -> Cells:
    return [
        f"  {pair.a} \u2212 {pair.b}",
        signed(pair.difference, unit),
        interval(pair.ci95, unit),
        p_value(pair.p),
        detectable(pair, unit),
        said(pair),
    ]


def said(pair: Pair) -> str:
    """`b better`; who is meant stands first."""
    words = VERDICTS[pair.verdict]
    return words if pair.verdict == "cannot tell" else f"{pair.a} {words}"
