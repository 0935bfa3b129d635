"""What the laboratory keeps of a cell: measures that mean the same in every generation, and no loss that is none of text."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from distill.laboratory.cells import Place
from distill.laboratory.gather import train_loss, varied
from distill.rows import Message, Provenance, Row
from distill.train.sft import Sft


def people(count: int) -> list[Row]:
    """Texts of words of which many are rare."""
    draws = random.Random(3)
    words = [f"word{number}" for number in range(2000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    provenance = Provenance(source="real", origin="org/data@1", method="real", root="r")
    texts = [" ".join(draws.choices(words, weights, k=30)) for _ in range(count)]
    return [
        Row(kind="text", messages=(Message(role="assistant", content=text),), provenance=provenance) for text in texts
    ]


def test_people_beside_themselves_have_no_more_words_than_people() -> None:
    rows = people(160)
    first, beside = varied(Place("replace", 0.0, 1, 0), rows, rows[:80], 1)
    assert first == beside and 0.3 < first["coverage"] < 0.7
    others, _ = varied(Place("replace", 0.0, 1, 1), rows, people(240)[160:], 1)
    assert others["coverage"] == pytest.approx(first["coverage"], abs=0.05), "as many words as of other texts of people"


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ({}, 1.375),
        ({"surest": 0.9}, None),
        ({"objective": "preference"}, None),
        ({"objective": "logits"}, None),
    ],
)
def test_a_loss_in_training_is_one_on_all_tokens_of_text(tmp_path: Path, how: dict[str, Any], found: object) -> None:
    spec = {"train": {**Sft().model_dump(mode="json"), **how}}
    (tmp_path / "manifest.json").write_text(json.dumps({"identity": {"spec": spec}}))
    lines = [{"step": step, "loss": 3 - step / 4} for step in range(8)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    folders = {"mix": tmp_path / "none", "train": tmp_path, "evaluate/student": tmp_path / "none"}
    assert train_loss(folders) == (None if found is None else pytest.approx(found))
