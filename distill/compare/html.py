"""Report -> report.html: one file that needs no network, no script and no font.

What models wrote is escaped by the template, which is the default for every value in it; the plots escape what they
are given. The page also forbids itself scripts and any request, so that a mistake here could not become one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.compare import judged, plots, reliability, words
from distill.compare.arms import STUDENT
from distill.compare.report import Metric, Recovered, Report
from distill.compare.svg import colour

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def pages(*others: Path) -> Environment:
    """Templates of the pages, and of other folders: what a model or a user wrote is escaped, and a name that is not there is an
    error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader([*others, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(report: Report) -> str:
    """The whole file."""
    from markupsafe import Markup

    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    figures = {name: Markup(plot) for name, plot in _plots(report).items()}
    sure = {
        suite: {arm: Markup(reliability.diagram(suite, arm, one)) for arm, one in found.arms.items()}
        for suite, found in report.calibration.items()
    }
    by_metric = {name: Markup(plots.arms(name, metric)) for name, metric in report.metrics.items()}
    decoding = next(iter(report.arms.values())).decoding
    return (
        pages()
        .get_template("report.html.j2")
        .render(
            report=report,
            primary=report.metrics[report.primary],
            suites=_suites(report),
            undefined=report.undefined,
            reasons=list(dict.fromkeys([*report.data.dropped, *report.data.real_dropped])),
            decoding=_decoding(decoding),
            headline=re.sub(r"\[(\S+) (\S+)\]", "[\\1\u00a0\\2]", report.headline),  # an interval stays on one line
            style=Markup(style),
            figures=figures,
            by_metric=by_metric,
            sure=sure,
            words=words,
            judged=judged,
            colour=colour,
        )
    )


def _decoding(decoding: Mapping[str, Any]) -> str:
    """`thinking apart; heldout_real: temperature 0, max_new_tokens 48, items 16`"""
    parts = [
        f"{name}: {', '.join(f'{key} {value}' for key, value in how.items())}"
        if isinstance(how, dict)
        else f"{name} {how}"
        for name, how in decoding.items()
    ]
    return "; ".join(parts) or "none"


def _plots(report: Report) -> dict[str, str]:
    """Every plot by name, empty where this report has nothing to show in it."""
    primary = report.metrics[report.primary]
    gaps = {name: metric.gap_recovered for name, metric in report.metrics.items()}
    steps = {**primary.checkpoints, STUDENT: primary.gap_recovered} if primary.checkpoints else {}
    return {
        "hero": plots.hero(report.primary, primary),
        "flow": plots.flow(report.data),
        "gaps": plots.gaps("gaps", "Gap recovered by metric", gaps) if _any(gaps) else "",
        "steps": plots.gaps("steps", f"Gap recovered in {report.primary} by arm", steps) if _any(steps) else "",
        "training": "".join(plots.training(name, points) for name, points in report.training.items() if points),
        "drops": plots.drops(report.data.dropped) if report.data.dropped else "",
    }


def _any(gaps: Mapping[str, Recovered]) -> bool:
    return any(gap.value is not None for gap in gaps.values())


def _suites(report: Report) -> dict[str, dict[str, Metric]]:
    """Suite -> metric by its short name, in the report's order."""
    suites: dict[str, dict[str, Metric]] = {}
    for name, metric in report.metrics.items():
        suite, short = name.split(".", 1)
        suites.setdefault(suite, {})[short] = metric
    return suites
