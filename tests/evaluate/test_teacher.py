"""The teacher's distributions come back as they were written, and damage is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from distill.errors import ArtifactError
from distill.evaluate import teacher
from distill.evaluate.teacher import Distribution, Teacher


def made(tokens: int, k: int = 3) -> Distribution:
    rng = np.random.default_rng(tokens)
    ids = rng.integers(0, 50_000, (tokens, k)).astype(np.int32)
    return Distribution(
        np.arange(tokens, dtype=np.int32), ids[:, 0], ids, rng.normal(-3, 1, (tokens, k)).astype(np.float32)
    )


def test_items_of_any_length_come_back(tmp_path: Path) -> None:
    items = {"real/b": made(4), "real/a": made(1), "teacher/c": made(7)}
    path = tmp_path / teacher.FILE
    teacher.write(path, Teacher(items, "model@1", "template", "tokenizer"))
    found = teacher.read(path)
    assert (found.model, found.template, found.tokenizer) == ("model@1", "template", "tokenizer")
    assert found.items.keys() == items.keys()
    for key, item in items.items():
        for name in ("tokens", "best", "ids", "logprobs"):
            np.testing.assert_array_equal(getattr(found.items[key], name), getattr(item, name))


def test_the_layout_is_the_documented_one(tmp_path: Path) -> None:
    path = tmp_path / teacher.FILE
    teacher.write(path, Teacher({"b": made(4), "a": made(1)}, "model@1", "template", "tokenizer"))
    with safe_open(path, framework="numpy") as file:
        assert file.get_tensor("offsets").tolist() == [0, 1, 5]
        assert file.get_tensor("ids").shape == (5, 3)
        assert file.get_tensor("logprobs").dtype == np.float32
        about = json.loads(file.metadata()["about"])
    assert about == {"model": "model@1", "template": "template", "tokenizer": "tokenizer", "k": 3, "items": ["a", "b"]}


@pytest.mark.parametrize("damage", ["cut", "empty", "gone"])
def test_damage_is_told(tmp_path: Path, damage: str) -> None:
    path = tmp_path / teacher.FILE
    teacher.write(path, Teacher({"a": made(5)}, "model@1", "template", "tokenizer"))
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: -10 if damage == "cut" else 0])
    with pytest.raises(ArtifactError, match="cannot be read") as error:
        teacher.read(path)
    assert error.value.hint == "remove the folder it lies in and run again"
