"""Laboratory -> laboratory.json, report.html and report.md in a folder: the page needs no network, no script and no font.

What models wrote is escaped by the template; the page also forbids itself scripts and any request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.collapse.panel import KINDS
from distill.compare import html, svg, words
from distill.compare.flow import cut
from distill.laboratory import markdown, plots
from distill.laboratory.curves import Arm, Curve, Curves
from distill.laboratory.findings import SHOWN, findings, headline, measures, notes, verdict
from distill.laboratory.record import LABORATORY, Cell, Laboratory, Recorded

TEMPLATES = Path(__file__).parent / "templates"
PROMPTS = 6
"""Prompts whose samples are shown."""
CLOSE = 0.3
"""Of the height of all curves: those that stay below it are drawn once more by themselves."""


@dataclass(frozen=True)
class Trained:
    """An arm's students of its last generation, on average."""

    rows: int
    real: int
    seconds: float


def write(laboratory: Laboratory, folder: Path) -> None:
    """Writes the three files, each whole or not at all."""
    put(folder / LABORATORY, laboratory.to_json())
    put(folder / "report.html", render(laboratory))
    put(folder / "report.md", markdown.report(laboratory))


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(text, encoding="utf-8", errors="backslashreplace")
    draft.replace(path)


def render(laboratory: Laboratory) -> str:
    """The whole page."""
    from markupsafe import Markup

    curves = Curves(laboratory)
    marks = plots.marks(curves.arms)
    seconds = [cell.seconds for cell in laboratory.cells] or [0.0]
    return page(
        "report.html.j2",
        laboratory,
        kind="the collapse laboratory",
        file=LABORATORY,
        headline=unbroken(headline(curves)),
        notes=notes(curves),
        laboratory=laboratory,
        curves=curves,
        verdict=verdict,
        found=[unbroken(text) for text in findings(curves)],
        keys={arm: Markup(svg.key(mark)) for arm, mark in marks.items()},
        loss=_loss(curves, marks),
        beside=_beside(curves, marks),
        varied=[(name, *_varied(curves, name, marks)) for name in measures(curves)],
        shown=len(SHOWN),
        last={end.arm: _trained([*curves.cells(end.arm, end.generation).values()]) for end in curves.ends},
        grid=_grid(curves),
        samples=_samples(curves),
        seed=min(curves.seeds, default=0),
        missing=len(curves.missing()),
        usual=sorted(seconds)[len(seconds) // 2],
        longest=max(seconds),
        total=sum(seconds),
    )


def unbroken(text: str) -> str:
    """An interval stays on one line."""
    return re.sub(r"\[(\S+) (\S+)\]", "[\\1\u00a0\\2]", text)


def page(template: str, recorded: Recorded, **values: Any) -> str:
    """A page of the laboratory, with the style sheets that all have."""
    from markupsafe import Markup

    sheets = (html.TEMPLATES / "report.css", html.TEMPLATES / "compare.css", TEMPLATES / "laboratory.css")
    style = Markup("".join(sheet.read_text(encoding="utf-8") for sheet in sheets))
    found = html.pages(TEMPLATES).get_template(template)
    return found.render(style=style, words=words, name=recorded.name, settings=recorded.settings, **values)


def _loss(curves: Curves, marks: Mapping[Arm, str]) -> Any:
    base = curves.laboratory.base_loss
    beside = None if base is None else ("base, untrained", base)
    return _plot("real loss, nats per token", curves.all(lambda cell: cell.loss), marks, height=300, beside=beside)


def _beside(curves: Curves, marks: Mapping[Arm, str]) -> list[tuple[str, str, Any]]:
    """What else is known of losses: of rare words, and how far below it the loss on what was learnt has gone."""
    found = [
        (
            "the same, of those that lost least",
            "nats per token, on real held-out text",
            _plot("real loss of those that lost least", _least(curves), marks),
        ),
        (
            "on the rarest words",
            "nats per token, on the tenth of the items with the rarest words",
            _plot("rare loss, nats per token", curves.all(lambda cell: cell.rare_loss), marks),
        ),
        (
            "real loss less training loss",
            "nats per token; students that know their teacher's rows by heart, and not people's",
            _plot("real loss less training loss", curves.all(_gap), marks),
        ),
    ]
    return [one for one in found if one[2]]


def _least(curves: Curves) -> dict[Arm, Curve]:
    """Curves that lie so close together beside the others that they cannot be told apart; none where there are no two."""
    found = curves.all(lambda cell: cell.loss)
    tops = {arm: max(place.found.value for place in curve) for arm, curve in found.items()}
    bottom = min((place.found.value for curve in found.values() for place in curve), default=0.0)
    edge = bottom + CLOSE * (max(tops.values(), default=0.0) - bottom)
    least = {arm: curve for arm, curve in found.items() if tops[arm] < edge}
    return least if len(least) > 1 else {}


def _gap(cell: Cell) -> float | None:
    return None if cell.train_loss is None else cell.loss - cell.train_loss


def _varied(curves: Curves, name: str, marks: Mapping[Arm, str]) -> tuple[str, Any]:
    people = [cell.people[name] for cell in curves.laboratory.cells if name in cell.people]
    beside = ("people's rows", sum(people) / len(people)) if people else None
    kind = KINDS.get(name)
    about = f"{kind.meaning}; {kind.better} is more varied" if kind else ""
    return about, _plot(name, curves.all(lambda cell: cell.measures.get(name)), marks, beside=beside)


def _plot(title: str, found: Mapping[Arm, Curve], marks: Mapping[Arm, str], **how: Any) -> Any:
    from markupsafe import Markup

    return Markup(plots.generations(title, found, marks, **how)) if found else ""


def _trained(cells: list[Cell]) -> Trained:
    count = len(cells)
    return Trained(
        round(sum(cell.rows for cell in cells) / count),
        round(sum(cell.real_rows for cell in cells) / count),
        sum(cell.seconds for cell in cells) / count,
    )


def _grid(curves: Curves) -> dict[Arm | None, dict[int, dict[int, Cell]]]:
    """Arm -> generation -> seed -> cell; None is generation 0, which all have."""
    grid: dict[Arm | None, dict[int, dict[int, Cell]]] = {None: {0: curves.first}} if curves.first else {}
    for arm in curves.arms:
        own = range(1, curves.generations + 1)
        grid[arm] = {one: cells for one in own if (cells := curves.cells(arm, one))}
    return grid


def _samples(curves: Curves) -> list[dict[str, Any]]:
    """Prompt by prompt: what people wrote, and what the students of the least seed did, by arm and generation."""
    if not curves.seeds:
        return []
    seed = min(curves.seeds)
    people = {one.prompt: one.text for one in curves.laboratory.references}
    texts = {
        (arm, generation): {one.prompt: one.text for one in cells[seed].samples}
        for arm in curves.arms
        for generation in range(curves.generations + 1)
        if seed in (cells := curves.cells(arm, generation))
    }
    prompts = list(dict.fromkeys(prompt for found in texts.values() for prompt in found))[:PROMPTS]
    found = []
    for prompt in prompts:
        arms: dict[Arm, dict[int, str]] = {arm: {} for arm in curves.arms}
        for (arm, generation), own in texts.items():
            if prompt in own:
                arms[arm][generation] = cut(own[prompt])
        by_arm = {arm: own for arm, own in arms.items() if own}
        found.append({"prompt": cut(prompt), "people": cut(people[prompt]) if prompt in people else "", "arms": by_arm})
    return found
