"""Laboratory -> the table that a terminal shows."""

from __future__ import annotations

from distill.compare.terminal import Cells, align
from distill.compare.words import interval, number, seconds, seeds, signed
from distill.laboratory.curves import Curves, End
from distill.laboratory.findings import headline, notes, times
from distill.laboratory.record import Laboratory


def table(laboratory: Laboratory) -> str:
    """Real loss by generation, arms down; then what each came to."""
    curves = Curves(laboratory)
    generations = range(curves.generations + 1)
    lines: list[Cells | str] = [["real loss, generation", *map(str, generations), "over 0", "less replace"]]
    for end in curves.ends:
        places = {place.generation: place.found for place in curves.curve(end.arm, lambda cell: cell.loss)}
        cells = [number(places[one].value) if one in places else "-" for one in generations]
        lines.append([end.arm.name, *cells, *_end(end)])
    spent = sum(cell.seconds for cell in laboratory.cells)
    about = (
        f"Nats per token, mean over {seeds(len(curves.seeds))}; {len(laboratory.cells)} students in {seconds(spent)}. "
        "Brackets are 95% intervals, paired by seed and item."
    )
    return "\n".join([*align(lines), "", about, *(f"! {note}" for note in notes(curves)), "", headline(curves)])


def _end(end: End) -> list[str]:
    ratio = times(end.ratio) if end.ratio else "-"
    if end.beside is None:
        return [ratio, "-"]
    ends = f" {interval(end.beside.ci95)}" if end.beside.ci95 else ""
    return [ratio, f"{signed(end.beside.value)}{ends}"]
