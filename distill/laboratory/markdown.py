"""Laboratory -> report.md, which a README can quote. Text from models stands in fenced blocks: none of it is markup."""

from __future__ import annotations

from collections.abc import Sequence

from distill.compare.marked import fenced, inline, table
from distill.compare.words import interval, percent, seconds, signed
from distill.laboratory.curves import Curves, End
from distill.laboratory.findings import amount, change, findings, headline, measures, notes, said, times
from distill.laboratory.record import Laboratory

LOSS = "Nats per token on real held-out text, mean over training seeds with its 95% interval."
BESIDE = "Over generation 0 and less `replace`: paired by seed and item, with 95% intervals."


def report(laboratory: Laboratory) -> str:
    """The whole file."""
    curves = Curves(laboratory)
    parts = [
        f"# {inline(laboratory.name)}",
        f"**{inline(headline(curves))}**",
        _list(findings(curves)),
        "## Loss on real text",
        LOSS,
        _losses(curves),
        "In the last generation:",
        _ends(curves.ends),
        BESIDE,
        *_variety(curves),
        *_samples(curves),
        *(("## Keep in mind", _list(found)) if (found := notes(curves)) else ()),
        "## How it was made",
        _list([f"{key}: {value}" for key, value in laboratory.settings.items()] + [_spent(laboratory)]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {inline(line)}" for line in lines)


def _losses(curves: Curves) -> str:
    rows = []
    for arm in curves.arms:
        places = {place.generation: said(place.found) for place in curves.curve(arm, lambda cell: cell.loss)}
        rows.append([arm.name, *(places.get(one, "–") for one in range(curves.generations + 1))])
    return table(["generation", *map(str, range(curves.generations + 1))], rows)


def _ends(ends: Sequence[End]) -> str:
    head = ["rows kept", "generation", "real loss", "over generation 0", "less replace", "of its loss avoided"]
    return table(head, [_end(end) for end in ends])


def _end(end: End) -> list[str]:
    beside = f"{signed(end.beside.value)} {interval(end.beside.ci95)}" if end.beside and end.beside.ci95 else "–"
    avoided = percent(end.avoided.value) if end.avoided else "–"
    ratio = times(end.ratio) if end.ratio else "–"
    return [end.arm.name, str(end.generation), said(end.loss), ratio, beside, avoided]


def _variety(curves: Curves) -> list[str]:
    """Measures of generation 0 and of the last, arms across."""
    rows = []
    for name in measures(curves):
        found = [change(curves, arm, name) for arm in curves.arms]
        rows.append([name, *(f"{amount(one[0])} to {amount(one[1])}" if one else "–" for one in found)])
    if not rows:
        return []
    about = "Of the rows that teachers wrote, from generation 0, which is people's, to the last."
    return ["## Variety of what the teachers wrote", about, table(["", *(arm.name for arm in curves.arms)], rows)]


def _samples(curves: Curves) -> list[str]:
    """One prompt, in the first and the last generation of every arm."""
    if not curves.ends or not curves.seeds:
        return []
    seed = min(curves.seeds)
    blocks = []
    for end in curves.ends:
        cell = curves.cells(end.arm, end.generation).get(seed)
        if cell and cell.samples:
            blocks.append((f"{end.arm.name}, generation {end.generation}", cell.samples[0]))
    if seed in curves.first and curves.first[seed].samples:
        blocks.insert(0, ("generation 0", curves.first[seed].samples[0]))
    if not blocks:
        return []
    prompt = blocks[0][1].prompt
    texts = [f"{name}:\n\n{fenced(sample.text)}" for name, sample in blocks if sample.prompt == prompt]
    return ["## The first prompt", fenced(prompt), *texts]


def _spent(laboratory: Laboratory) -> str:
    spent = [cell.seconds for cell in laboratory.cells]
    return f"{len(spent)} students in {seconds(sum(spent))}, the longest in {seconds(max(spent, default=0.0))}"
