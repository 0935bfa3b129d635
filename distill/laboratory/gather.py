"""folders of a cell's finished nodes -> what the laboratory keeps of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.collapse.panel import panel
from distill.collapse.rarest import rarest
from distill.collapse.sample import draw
from distill.laboratory.cells import Place
from distill.laboratory.keeping import PEOPLE
from distill.laboratory.record import Cell, Item, Mixed, Sample
from distill.rows import Row, read_rows
from distill.words import words

STUDENT = "evaluate/student"
SHOWN = 6
"""Prompts whose rows are shown of every generation."""
LONGEST = 600
"""Characters of a row that is shown."""
Folders = Mapping[str, Path]
"""Node -> its folder."""


def items(folders: Folders) -> tuple[Item, ...]:
    """What every cell is measured on."""
    return tuple(
        Item(id=line["item"], root=line["root"], tokens=int(line["metrics"]["loss"]["weight"]))
        for line in _lines(folders)
        if "loss" in line["metrics"]
    )


def losses(folders: Folders, measured: Sequence[Item], arm: str = STUDENT) -> tuple[float | None, ...]:
    """Nats per token of each item; None where it was not scored."""
    found = {line["item"]: line["metrics"].get("loss", {}).get("value") for line in _lines(folders, arm)}
    return tuple(found.get(item.id) for item in measured)


def mean(losses: Sequence[float | None], measured: Sequence[Item]) -> float:
    """Nats per token over all items that were scored."""
    known = [(loss, item.tokens) for loss, item in zip(losses, measured, strict=True) if loss is not None]
    return sum(loss * tokens for loss, tokens in known) / sum(tokens for _, tokens in known)


def cell(
    place: Place, folders: Folders, people: Sequence[Row], measured: Sequence[Item], seed: int, resumed: bool
) -> Cell:
    """Everything of one cell.

    Args:
        people: what people wrote, beside which this generation's rows are looked at.
    """
    counts = _manifest(folders["mix"])["summary"]["counts"]
    found = losses(folders, measured)
    own, beside = varied(place, people, written(place, folders), seed)
    rare = rarest({line["item"]: line["reference"] for line in _lines(folders)}, (words(row.answer) for row in people))
    of_rare = [item for item in measured if item.id in set(rare)]
    return Cell(
        keep=place.keep, real_fraction=place.real_fraction, seed=place.seed, generation=place.generation,
        loss=mean(found, measured), losses=found, rare_loss=mean(losses(folders, of_rare), of_rare) if of_rare else None,
        train_loss=train_loss(folders), rows=counts["train_rows"], real_rows=counts["real"],
        measures=own, people=beside, seconds=seconds(folders), resumed=resumed, run=place.name,
    )  # fmt: skip


def mixed(share: float, seed: int, name: str, folders: Folders, measured: Sequence[Item]) -> Mixed:
    """One student of a sweep."""
    found = losses(folders, measured)
    rows = _manifest(folders["mix"])["summary"]["counts"]["train_rows"]
    return Mixed(
        share=share,
        seed=seed,
        loss=mean(found, measured),
        losses=found,
        rows=rows,
        seconds=seconds(folders),
        run=name,
    )


def written(place: Place, folders: Folders) -> list[Row]:
    """Rows of a generation: people's of generation 0, then those of its teacher."""
    name = ("mix", "train.jsonl") if place.generation == PEOPLE else ("filter", "kept.jsonl")
    return list(read_rows(folders[name[0]] / name[1]))


def samples(chosen: Sequence[str], rows: Sequence[Row], prompts: Mapping[str, str]) -> tuple[Sample, ...]:
    """What was written to each prompt that was chosen, by its root."""
    found = {row.provenance.root: row for row in rows}
    return tuple(Sample(prompt=prompts[root], text=found[root].answer[:LONGEST]) for root in chosen if root in found)


def common(rows: Sequence[Sequence[Row]]) -> list[str]:
    """Roots of prompts that rows of every generation descend from, the first few by hash; fewer where there are fewer."""
    roots = [{row.provenance.root for row in own} for own in rows if own]
    return sorted(set.intersection(*roots))[:SHOWN] if roots else []


def seconds(folders: Folders) -> float:
    """Of all its nodes when they were made."""
    return float(sum(_manifest(folder)["cost"]["seconds"] for folder in folders.values()))


def varied(
    place: Place, people: Sequence[Row], rows: Sequence[Row], seed: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Measures of a generation's rows, and of people's beside them; none where there are too few rows.

    Of generation 0 they are people's both times: its rows are among people's, so that beside them all their words are there.
    """
    corpora = {name: draw(one, seed).texts for name, one in (("people", people), ("rows", rows))}
    found = panel(corpora, "people", seed)
    numbers = found.numbers if found else {}
    own, beside = ({kind: of[name].value for kind, of in numbers.items()} for name in ("rows", "people"))
    return (beside if place.generation == PEOPLE else own), beside


def train_loss(folders: Folders) -> float | None:
    """Of the last quarter of its steps; None where what was learnt by is another loss than that on real text: pairs, another's
    distributions, or a part of the tokens."""
    train = next(folder for name, folder in reversed(list(folders.items())) if name.partition("/")[0] == "train")
    how = _manifest(train)["identity"]["spec"]["train"]
    if how["objective"] != "sft" or how.get("surest", 1.0) < 1:
        return None
    lines = [json.loads(line) for line in (train / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    steps = [line["loss"] for line in lines if "loss" in line]
    last = steps[-max(1, len(steps) // 4) :]
    return sum(last) / len(last) if last else None


def _lines(folders: Folders, arm: str = STUDENT) -> list[dict[str, Any]]:
    text = (folders[arm] / "items.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found
