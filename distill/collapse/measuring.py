"""rows of filter and mix -> panel.json: how varied they are beside people's rows, what filters took, and who wrote them.

Here is what takes time, and no limit: other limits are held against the same numbers, by `guard`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.collapse import found as finding
from distill.collapse.found import Measured
from distill.collapse.panel import Panel, panel
from distill.collapse.sample import FEWEST, Drawn, draw
from distill.collapse.tail import KEPT, TailLost, rare_words, sampled, tail_lost
from distill.context import Context
from distill.engines.embedding import open_embedder
from distill.protocols import Embedder, Summary
from distill.rows import Frozen, Row, read_rows
from distill.sources.licences import student_depth
from distill.words import words

VERSION = 1
PEOPLE, TEACHER, MIX = "real", "teacher", "mix"
FILES = {
    PEOPLE: ("filter/real.jsonl",),
    TEACHER: ("filter/kept.jsonl",),
    MIX: ("mix/train.jsonl", "mix/preference.jsonl"),
}
"""Corpus -> files of its rows, each `<node>/<file>`."""


class Spec(Frozen):
    embedder: str | None
    """By which texts are compared by what they mean too."""
    seed: int


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write panel.json."""
    if not context.ranks.main:
        return {}
    found = look(spec, inputs, context)
    finding.write(found, out)
    return {"counts": {"texts": found.panel.texts * 2 if found.panel else 0}}


def look(spec: Spec, inputs: Mapping[str, Path], context: Context) -> Measured:
    """All that is to be known of the rows of a run."""
    drawn = {name: draw(_rows(inputs, files), spec.seed) for name, files in FILES.items()}
    # A mix of real rows alone has no teacher.
    corpora = {name: one for name, one in drawn.items() if name != TEACHER or one.rows}
    embedder = open_embedder(context.resolved[spec.embedder], context) if spec.embedder else None
    panel_found, unsaid = measure(corpora, spec.seed, embedder)
    if embedder:
        embedder.close()
    made = Counter(
        (row.provenance.source, row.provenance.origin, row.provenance.depth) for row in _rows(inputs, FILES[MIX])
    )
    written = [one for one in made if one[0] == "teacher"]
    depths = {origin: min(depth for _, own, depth in written if own == origin) for _, origin, _ in written}
    known = {origin: depth for origin in depths if (depth := _depth(origin, context)) is not None}
    return Measured(
        panel=panel_found,
        unsaid=unsaid,
        synthetic=sum(made[one] for one in written) / max(made.total(), 1),
        tail=_tail(inputs["filter"], spec.seed),
        students={origin: depth for origin, depth in sorted(known.items()) if depth},
        descended={origin: depth - 1 for origin, depth in sorted(depths.items()) if origin not in known and depth > 1},
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


def _tail(filtered: Path, seed: int) -> dict[str, tuple[TailLost, ...]]:
    """What is rare is told from all real rows that were judged: of those that were kept no filter has taken anything."""
    judged = {
        source: sampled(_judged(filtered, file, source), seed)
        for source, file in ((TEACHER, "kept.jsonl"), (PEOPLE, "real.jsonl"))
    }
    rare = rare_words(words(answer) for _, answer in judged[PEOPLE])
    return {source: tail_lost(own, rare, seed) for source, own in judged.items()}


def _depth(origin: str, context: Context) -> int | None:
    """Generations of models behind a model by its origin, 0 of a model of others; None where this recipe does not name it."""
    places = {source.origin: source.path for source in context.resolved.values()}
    found = [student_depth(places[part]) for part in origin.split("+") if part in places]
    return max(found) if found else None


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
