"""rows of a mix -> the data that the teacher was asked about, and that are among no rows themselves.

Their words are in its answers. They are found in the split, and what leads to them among what the filters judged:

    by root      prompts and documents that a row descends from
    by parents   whatever else it was made from, such as every seed that the teacher was shown, and what those were made from
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from distill.cards import Ingredient, ingredients
from distill.rows import Row, read_rows


def asked(inputs: Mapping[str, Path], made: Sequence[Row], side: Literal["train", "heldout"]) -> tuple[Ingredient, ...]:
    """Each data set once, with the terms of its rows that the teacher's were made from.

    Args:
        made: rows, the teacher's among them.
        side: of the split, that they are of.
    """
    taught = [row for row in made if row.provenance.source == "teacher"]
    there = {part.origin for part in ingredients(made)}
    roots, parents = {row.provenance.root for row in taught}, _parents(inputs["filter"], taught)
    rows = (row for path in sorted((inputs["split"] / side).glob("*.jsonl")) for row in read_rows(path))
    found = ingredients(
        row
        for row in rows
        if (row.provenance.root in roots or row.id in parents) and row.provenance.origin not in there
    )
    return tuple(replace(part, rows=0) for part in found)


def _parents(filtered: Path, taught: Iterable[Row]) -> set[str]:
    """Ids of all that the rows were made from, step by step: a row that was dropped may have led to one that was kept."""
    new = {parent for row in taught for parent in row.provenance.parents}
    found = set(new)
    made_from = dict(_judged(filtered)) if new else {}
    while new:
        new = {parent for one in new for parent in made_from.get(one, ())} - found
        found |= new
    return found


def _judged(filtered: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Ids and parents of the teacher's rows that the filters saw."""
    for name in ("kept.jsonl", "dropped.jsonl"):
        path = filtered / name
        for line in path.open(encoding="utf-8") if path.is_file() else ():
            record = json.loads(line)
            record = record.get("row", record)
            if parents := record["provenance"].get("parents"):
                yield record["id"], tuple(parents)
