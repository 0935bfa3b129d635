"""split and heldout folders -> the held-out rows an arm is asked, and all that no training row may repeat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from distill.errors import SourceError
from distill.rows import Row, read_rows


def items(suite: Literal["heldout_teacher", "heldout_real"], split: Path, heldout: Path) -> list[Row]:
    """The conversations of a suite, one for each held-out prompt, in the order of their roots' hashes.

    `heldout_teacher` has the teacher's answers, `heldout_real` the real ones; the same prompts come in the same
    order in both. Of several answers to a prompt the one with the lowest id is asked.
    """
    chosen: dict[str, Row] = {}
    for row in _teacher(heldout) if suite == "heldout_teacher" else _real(split):
        root = row.provenance.root
        if row.kind == "chat" and (root not in chosen or row.id < chosen[root].id):
            chosen[root] = row
    return [chosen[root] for root in sorted(chosen)]


MEASURED = ("heldout", "benchmark")
"""Nodes whose rows are evaluated on, where a recipe has them."""


def evaluated(inputs: Mapping[str, Path]) -> Iterator[Row]:
    """All that is evaluated on: the split's held-out rows, prompts without an answer too, then what teachers wrote."""
    yield from _real(inputs["split"])
    yield from measured(inputs)


def measured(inputs: Mapping[str, Path]) -> Iterator[Row]:
    """What teachers wrote to be evaluated on."""
    for name in MEASURED:
        if name in inputs:
            yield from _teacher(inputs[name])


def _real(split: Path) -> Iterator[Row]:
    folder = split / "heldout"
    if not folder.is_dir():
        raise SourceError("no held-out rows: the split is not there", where=str(folder))
    for path in sorted(folder.glob("*.jsonl")):
        yield from read_rows(path)


def _teacher(heldout: Path) -> Iterator[Row]:
    path = heldout / "rows.jsonl"
    if not path.is_file():
        raise SourceError("no held-out answers of the teacher", where=str(path))
    yield from read_rows(path)
