"""report.json -> the table that a terminal shows: metrics down, arms across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from distill.compare.judged import lines as judged
from distill.compare.report import Metric, Report, Score, read_report
from distill.compare.words import (
    added,
    arrow,
    detectable,
    gap_for,
    guarded,
    hours,
    interval,
    kept,
    number,
    p_value,
    recovered,
    seeds,
    signed,
    verdict,
    with_ends,
)

Cells = Sequence[str]


def table(report: Mapping[str, Any]) -> str:
    """Every metric of one run: its arms' means with 95% intervals, then the gap recovered.

    Raises:
        CompareError: it is not a report of this version.
    """
    value = read_report(report)
    arms = value.shown
    lines: list[Cells | str] = [["", "items", *arms, "gap recovered"]]
    for suite, names in groupby(value.metrics, key=_suite):
        lines.append(suite)
        for name in names:
            metric = value.metrics[name]
            scores = [_score(metric.arms.get(arm), metric) for arm in arms]
            lines.append([_label(name, metric), str(metric.n), *scores, recovered(metric.gap_recovered)])
    judge = ["", *judged(value.judge)] if value.judge else []
    return "\n".join(
        [*align(lines), "", *_legend(value), *_against_base(value), *_findings(value), "", value.headline, *judge]
    )


def _suite(name: str) -> str:
    return name.split(".", 1)[0]


def _label(name: str, metric: Metric) -> str:
    star = "*" if metric.primary else " "
    return f"{star} {name.split('.', 1)[1]} {arrow(metric)} {metric.unit}"


def _score(score: Score | None, metric: Metric) -> str:
    return with_ends(score, metric.unit) if score else "-"


def _against_base(report: Report) -> list[str]:
    """What may be said of the student beside its base, metric by metric."""
    if not report.against_base:
        return []
    lines: list[Cells | str] = [["student - base", "difference", "p", "Holm", "detectable", "student"]]
    for name, pair in report.against_base.items():
        metric = report.metrics[name]
        change = f"{signed(pair.difference, metric.unit)} {interval(pair.ci95, metric.unit)}"
        holm = "-" if pair.p_holm is None else p_value(pair.p_holm)
        label = f"{'*' if metric.primary else ' '} {name} {arrow(metric)}"
        lines.append([label, change, p_value(pair.p), holm, detectable(pair, metric.unit), verdict(pair)])
    return ["", *align(lines)]


def _findings(report: Report) -> list[str]:
    """Training seeds, what should not be lost, retention, calibration, price: a line each."""
    lines = ["", f"Over {seeds(report.seeds)}{'' if report.seeds > 1 else ': of another one nothing is known'}."]
    if report.added:
        lines.append(added(report.primary, report.added, report.metrics[report.primary].unit))
    lines += [f"{one.metric}: {kept(one)}." for one in report.forgetting]
    lines += [f"Guard: {said}." for _, said in (guarded(report.guard) if report.guard else ())]
    if report.retained:
        shares = (f"{name} {recovered(one)}" for name, one in report.retained.items())
        lines.append(f"Retention, student / teacher: {', '.join(shares)}.")
    for suite, found in report.calibration.items():
        errors = (f"{arm} {number(one.error)} {interval(one.ci95)}" for arm, one in found.arms.items())
        lines.append(f"Calibration error in {suite}: {', '.join(errors)}.")
    if report.price and (rates := gap_for(report.price)):
        lines.append(f"{', '.join(rates)} ({hours(report.price)}).")
    return lines


def _legend(report: Report) -> list[str]:
    lines = [
        "Mean \u00b1 half the 95% interval over prompts, or both its ends; * decides; \u2193 lower, \u2191 higher is better.",
        "Gap recovered: 0% is the base, 100% the teacher, with its 95% interval.",
    ]
    return [*lines, *(f"Undefined in {', '.join(names)}: {reason}." for reason, names in report.undefined.items())]


def align(lines: Sequence[Cells | str]) -> list[str]:
    """First column to the left, the others to the right; a line that is a text stands as it is."""
    rows = [line for line in lines if not isinstance(line, str)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        line
        if isinstance(line, str)
        else "   ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    ]
