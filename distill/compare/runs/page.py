"""Comparison + items -> compare-….html: one file to see how arms differ, and to read the items in which they do.

It asks nothing of any network. Its one script is let in by its hash, and all that models wrote is data to it, which it
shows as text: nothing in an answer can become markup or run.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from distill.compare import plots, svg, words
from distill.compare.html import pages
from distill.compare.pages import assets, data
from distill.compare.runs import curves, items
from distill.compare.runs.asked import Together
from distill.compare.runs.comparison import Comparison
from distill.compare.runs.table import said


def write(comparison: Comparison, found: Together, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(render(comparison, found), encoding="utf-8", errors="backslashreplace")
    draft.replace(path)


def render(comparison: Comparison, found: Together) -> str:
    """The whole file."""
    from markupsafe import Markup

    marks = marks_of(comparison)
    of_runs: dict[str, str] = {}  # a run goes by the mark of its first arm
    for label in comparison.chosen:
        of_runs.setdefault(comparison.arms[label].run, marks[label])
    read = items.read(found, comparison)
    for arm in read.data["arms"]:
        mark = marks[arm["label"]]
        arm.update(shape=svg.SHAPES[mark], colour=svg.colour(mark))
    return (
        pages()
        .get_template("compare.html.j2")
        .render(
            comparison=comparison,
            headline=re.sub(r"\[(\S+) (\S+)\]", "[\\1\u00a0\\2]", comparison.headline),
            keys={label: Markup(svg.key(mark)) for label, mark in marks.items()},
            runs={run: Markup(svg.key(mark)) for run, mark in of_runs.items()},
            plots={
                name: Markup(plots.intervals(name, metric, metric.arms, marks))
                for name, metric in comparison.metrics.items()
            },
            losses={title: Markup(plot) for title, plot in _losses(comparison, of_runs).items()},
            steps={
                name: Markup(curves.checkpoints(name, comparison.metrics[name].unit, runs, of_runs))
                for name, runs in comparison.checkpoints.items()
            },
            read=read,
            items=Markup(data(read.data)),
            words=words,
            said=said,
            **assets(("report.css", "list.css", "compare.css"), ("list.js", "compare.js")),
        )
    )


def marks_of(comparison: Comparison) -> dict[str, str]:
    """The mark of every arm, in all plots and beside all answers: by its role, or a number for the chosen."""
    number = {label: index % svg.MARKS + 1 for index, label in enumerate(comparison.chosen)}
    return {
        label: f"mark-{number[label]}" if column.role == "chosen" else column.role
        for label, column in comparison.arms.items()
    }


def _losses(comparison: Comparison, marks: dict[str, str]) -> dict[str, Any]:
    """Plots of losses by their titles, of training rows and of real ones, for every training."""
    found = {}
    for training, runs in comparison.training.items():
        name = "" if training == "train" else f"{training.partition('/')[2]}: "
        found[f"{name}loss on training rows"] = curves.losses(training, runs, marks, real=False)
        found[f"{name}loss on real rows, not trained on"] = curves.losses(training, runs, marks, real=True)
    return {title: plot for title, plot in found.items() if plot}
