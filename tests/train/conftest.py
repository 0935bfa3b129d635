"""A small training on the tiny model: rows, a spec, a context."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distill.context import Context, Ranks, Resolved, Runtime
from distill.rows import Message, Provenance, Row, root_of, write_rows
from distill.train.stage import Spec, Train
from distill.train.student import Lora, Student

MODEL = "tiny"
WORDS = "the river runs past old stones and a quiet mill where nobody asks what time it is".split()


def make_row(number: int, words: int = 0, source: str = "teacher", terms: tuple[str, ...] = ("apache-2.0",)) -> Row:
    """A conversation of its own length."""
    said = " ".join(WORDS[(number + place) % len(WORDS)] for place in range(words or 3 + number % 9))
    messages = (Message(role="user", content=f"Say {number}."), Message(role="assistant", content=said.capitalize()))
    provenance = Provenance(
        source="teacher" if source == "teacher" else "real",
        origin=f"{source}@1",
        method="answer" if source == "teacher" else "real",
        root=root_of(messages),
        depth=1 if source == "teacher" else 0,
        terms=terms,
    )
    return Row(kind="chat", messages=messages, provenance=provenance)


@pytest.fixture
def mix(tmp_path: Path) -> Path:
    """A mix folder of 40 rows of different lengths."""
    folder = tmp_path / "mix"
    folder.mkdir()
    write_rows(folder / "train.jsonl", [make_row(number) for number in range(40)])
    return folder


@pytest.fixture
def context_of(tiny_model: Path, tmp_path: Path) -> Callable[..., Context]:
    def make(**runtime: Any) -> Context:
        source = Resolved(MODEL, tiny_model, "sha256:0", ("apache-2.0",))
        return Context(tmp_path / "cache", {MODEL: source}, Runtime(**runtime), Ranks())

    return make


def spec_of(seed: int = 5, dropout: float = 0.0, **train: Any) -> Spec:
    settings = {"dtype": "float32", "batch_size": 8, "learning_rate": 5e-3, **train}
    student = Student(model=MODEL, lora=Lora(r=4, alpha=8, dropout=dropout), drop_layers=(1,))
    return Spec(student=student, train=Train(**settings), seed=seed)
