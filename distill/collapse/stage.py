"""rows of filter and mix -> guard.json; an error where the mix is poorer than people's rows beyond what the recipe allows.

It comes after the mix and before tokens and training are paid for. What it finds is written before it stops anything, and is
what the report shows: nothing of it is computed twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.collapse import found as finding
from distill.collapse.found import Found
from distill.collapse.gate import Alarm, alarms
from distill.collapse.panel import Panel, panel
from distill.collapse.remedies import against, told
from distill.collapse.sample import FEWEST, Drawn, draw
from distill.collapse.settings import Guard
from distill.collapse.tail import KEPT, TailLost, rare_words, sampled, tail_lost
from distill.context import Context
from distill.engines.embedding import open_embedder
from distill.errors import CollapseError
from distill.protocols import Embedder, Summary
from distill.rows import Frozen, Row, read_rows
from distill.sources.licences import student_depth

VERSION = 2
PEOPLE, TEACHER, MIX = "real", "teacher", "mix"
FILES = {
    PEOPLE: ("filter/real.jsonl",),
    TEACHER: ("filter/kept.jsonl",),
    MIX: ("mix/train.jsonl", "mix/preference.jsonl"),
}
"""Corpus -> files of its rows, each `<node>/<file>`."""
CHANCE = ("quota", "select", "surprising")
"""What chooses among rows that are all accepted: nobody is told that a choice leaves something."""


class Spec(Frozen):
    guard: Guard
    seed: int


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write guard.json.

    Raises:
        CollapseError: the mix is beyond a limit, and the recipe does not say to go on; guard.json is written all the same.
    """
    if not context.ranks.main:
        return {}
    found = look(spec, inputs, context)
    finding.write(found, out)
    ill = [alarm for alarm in found.alarms if alarm.corpus == MIX]
    if ill and spec.guard.stop:
        raise refusal(ill, f"all numbers are in {out / finding.FILE}")
    texts = found.panel.texts * 2 if found.panel else 0
    return {"counts": {"texts": texts, "beyond_limits": len(found.alarms)}, "notes": list(notes(found, spec.guard))}


def look(spec: Spec, inputs: Mapping[str, Path], context: Context) -> Found:
    """All that is to be known of the rows of a run."""
    drawn = {name: draw(_rows(inputs, files), spec.seed) for name, files in FILES.items()}
    # A mix of real rows alone has no teacher.
    corpora = {name: one for name, one in drawn.items() if name != TEACHER or one.rows}
    named = spec.guard.embedder
    embedder = open_embedder(context.resolved[named], context) if named else None
    measured, unsaid = measure(corpora, spec.seed, embedder)
    if embedder:
        embedder.close()
    origins = Counter((row.provenance.source, row.provenance.origin) for row in _rows(inputs, FILES[MIX]))
    written = {origin: count for (source, origin), count in origins.items() if source == "teacher"}
    rare = rare_words(corpora[PEOPLE].texts)
    return Found(
        panel=measured,
        unsaid=unsaid,
        alarms=alarms(measured, spec.guard.limits),
        synthetic=sum(written.values()) / max(origins.total(), 1),
        tail={
            source: tail_lost(sampled(_judged(inputs["filter"], file, source), spec.seed), rare, spec.seed)
            for source, file in ((TEACHER, "kept.jsonl"), (PEOPLE, "real.jsonl"))
        },
        students={origin: depth for origin in sorted(written) if (depth := _depth(origin, context))},
    )


def measure(
    corpora: Mapping[str, Drawn], seed: int, embedder: Embedder | None = None
) -> tuple[Panel | None, str | None]:
    """The panel of what was drawn of every corpus, or why there is none."""
    few = [f"{len(drawn.texts)} texts of {name}" for name, drawn in corpora.items() if len(drawn.texts) < FEWEST]
    if few:
        return None, f"{', '.join(few)}: fewer than {FEWEST} say what chance says"
    texts = {name: drawn.texts for name, drawn in corpora.items()}
    lengths = {name: drawn.lengths for name, drawn in corpora.items()}
    return panel(texts, PEOPLE, seed, lengths, embedder=embedder), None


def refusal(ill: Sequence[Alarm], more: str) -> CollapseError:
    """The error of what is beyond its limit: measures, values with intervals, limits, and what to do in lines of a recipe."""
    lines = [f"  {one.says}; difference 95% [{one.interval[0]:.3g}, {one.interval[1]:.3g}]" for one in ill]
    what = "the student has" if all(one.corpus == "student" for one in ill) else "what is to be learnt from has"
    return CollapseError(
        "\n".join([f"{what} lost more of what people's texts have than guard.limits allows", *lines]),
        where="guard",
        hint=f"one of these lines in the recipe, those that help most first:\n     "
        f"{told(against(*(one.measure for one in ill)))}\n     "
        f"or go on all the same with guard.stop: false; {more}",
    )


def notes(found: Found, guard: Guard) -> Iterator[str]:
    """What should be seen, a sentence each with a line of a recipe against it."""
    if found.unsaid:
        yield f"The guard says nothing of the rows' variety: {found.unsaid}."
    yield from (f"{alarm.says}: try {against(alarm.measure)[0].line}" for alarm in found.alarms)
    if found.synthetic > guard.max_synthetic:
        yield (
            f"{found.synthetic:.0%} of the mix were written by a model, more than guard.max_synthetic {guard.max_synthetic:.0%}: "
            "small models that learn from unfiltered synthetic text stay within 3% up to 20% of it and degrade faster beyond "
            f"30% (Du et al., arXiv:2510.05133); try {against('synthetic')[0].line}"
        )
    for source, filters in found.tail.items():
        for one in filters:
            if one.beyond > guard.max_tail_lost and one.filter not in CHANCE:
                yield _of_filter(source, one)
    for origin, depth in found.students.items():
        yield (
            f"{origin} writes rows and is itself a student, {depth} generation{'s' if depth > 1 else ''} of models away from "
            f"people's text: what it lost its student cannot learn; try {against('student_teacher')[0].line}"
        )


def _of_filter(source: str, one: TailLost) -> str:
    return (
        f"The filter {one.filter} takes the tail: with {one.rows} of {one.of} {source} rows it dropped {one.lost:.0%} of the "
        f"{one.words} rare words of people's that they had, where as many rows drawn by lot have {one.by_lot:.0%}; drop less "
        f"there (`distill show RUN --dropped {one.filter}`), or try {against('filtered_tail')[0].line}"
    )


def _depth(origin: str, context: Context) -> int:
    """Generations of models behind a model by its origin; 0 of a model of others, and of one that is not on this machine."""
    places = {source.origin: source.path for source in context.resolved.values()}
    return max(student_depth(places[part]) if part in places else 0 for part in origin.split("+"))


def _rows(inputs: Mapping[str, Path], files: Sequence[str]) -> Iterator[Row]:
    for file in files:
        node, _, name = file.partition("/")
        if (path := inputs[node] / name).is_file():
            yield from read_rows(path)


def _judged(folder: Path, kept: str, source: str) -> Iterator[tuple[str, Row]]:
    """Every row of a source that was judged, with the filter that dropped it."""
    if (folder / kept).is_file():
        yield from ((KEPT, row) for row in read_rows(folder / kept))
    if (folder / "dropped.jsonl").is_file():
        with (folder / "dropped.jsonl").open(encoding="utf-8") as file:
            for line in file:
                record: dict[str, Any] = json.loads(line)
                record["row"].pop("id", None)
                row = Row.model_validate(record["row"])
                if row.provenance.source == source:
                    yield record["filter"], row
