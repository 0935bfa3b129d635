"""The panel over the rows of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from distill.collapse.sample import Drawn
from distill.compare.diversity import beside, read_diversity
from distill.rows import read_rows, write_rows
from tests.collapse.texts import texts

Make = Callable[..., dict[str, Path]]


def drawn(count: int, vocabulary: int, seed: int = 0) -> Drawn:
    found = texts(count, 20, vocabulary, seed)
    return Drawn(found, [len(text) for text in found], count)


def test_a_teacher_of_few_words_fell() -> None:
    found = beside({"real": drawn(100, 2000), "teacher": drawn(100, 100, 1), "mix": drawn(100, 2000, 2)}, 0)
    for name in ("coverage", "entropy_1", "distinct_1", "compression"):
        assert found.measures[name].fell("teacher"), name
        assert not found.measures[name].fell("real")
    assert not found.measures["entropy_1"].fell("mix")


def test_too_few_texts_are_undefined() -> None:
    found = beside({"real": drawn(10, 50), "teacher": drawn(100, 50)}, 0)
    assert "10 texts of real" in str(found.undefined) and not found.measures


def test_the_order_of_the_rows_does_not_matter(make_run: Make) -> None:
    inputs = make_run()
    first = read_diversity(inputs, seed=3)
    path = inputs["filter"] / "kept.jsonl"
    write_rows(path, list(read_rows(path))[::-1])
    assert read_diversity(inputs, seed=3) == first
