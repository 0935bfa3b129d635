"""Held-out rows as suites, and all that no training row may repeat.

heldout_teacher   the teacher's answers to held-out prompts
heldout_real      people's
heldout_text      people's texts, that answer nothing
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from distill.errors import SourceError
from distill.rows import Row, read_rows
from distill.suites import overlap
from distill.suites.suite import LOADED, Answered, Ask, Judged, Suite

PEOPLES = ("heldout_real", "heldout_text")
"""Suites whose loss is that on people's held-out text."""


class HeldOut(Suite):
    """Conversations that were held out: how likely an arm finds their answers, and what it answers itself to some."""

    ASKS: ClassVar[Ask] = "likelihood"
    METRICS: ClassVar[tuple[str, ...]] = ("loss", "agreement", "kl", "bits_per_byte", "chrf")

    def judge(self, asked: Sequence[Answered]) -> list[Judged]:
        return [
            Judged(overlap.chrf(one.answers[0], one.row.answer) if one.row.messages[-1].role == "assistant" else {})
            for one in asked
        ]


class HeldOutTeacher(HeldOut):
    kind: Literal["heldout_teacher"] = "heldout_teacher"
    NEEDS: ClassVar[tuple[str, ...]] = ("split", "heldout")

    def rows(self, inputs: Mapping[str, Path]) -> list[Row]:
        return items("heldout_teacher", inputs["split"], inputs["heldout"])


class HeldOutReal(HeldOut):
    kind: Literal["heldout_real"] = "heldout_real"
    NEEDS: ClassVar[tuple[str, ...]] = ("split",)

    def rows(self, inputs: Mapping[str, Path]) -> list[Row]:
        return items("heldout_real", inputs["split"], inputs["split"])


class HeldOutText(Suite):
    """Texts that were held out, each passage scored whole, as it is learnt: from the second token on, without a template."""

    kind: Literal["heldout_text"] = "heldout_text"
    NEEDS: ClassVar[tuple[str, ...]] = ("split",)
    ASKS: ClassVar[Ask] = "likelihood"
    ANSWERED: ClassVar[bool] = False
    METRICS: ClassVar[tuple[str, ...]] = ("loss", "agreement", "kl", "bits_per_byte")
    items: int | None = Field(None, gt=0)
    """The first so many by the hash of their document; all when not given."""

    def rows(self, inputs: Mapping[str, Path]) -> list[Row]:
        found = [row for row in _real(inputs["split"]) if row.kind == "text"]
        return sorted(found, key=lambda row: (row.provenance.root, row.id))[: self.items]


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


WRITTEN = ("heldout", "benchmark")
MEASURED = (*WRITTEN, LOADED)
"""Nodes whose rows are evaluated on, where a recipe has them."""


def evaluated(inputs: Mapping[str, Path]) -> Iterator[Row]:
    """All that is evaluated on: the split's held-out rows, prompts without an answer too, then what teachers wrote, then
    the items of suites with data of their own."""
    yield from _real(inputs["split"])
    yield from written(inputs)
    yield from loaded(inputs)


def written(inputs: Mapping[str, Path]) -> Iterator[Row]:
    """What teachers wrote to be evaluated on."""
    for name in WRITTEN:
        if name in inputs:
            yield from _teacher(inputs[name])


def loaded(inputs: Mapping[str, Path]) -> Iterator[Row]:
    """Items of suites with data of their own."""
    if LOADED in inputs:
        for path in sorted(inputs[LOADED].glob("*.jsonl")):
            yield from read_rows(path)


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
