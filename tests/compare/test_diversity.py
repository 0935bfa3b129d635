"""The panel that guard computed, as the report has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from distill.collapse import found as finding
from distill.compare.diversity import diversity
from distill.rows import read_rows, write_rows
from tests.compare.conftest import watch

Make = Callable[..., dict[str, Path]]


def test_a_teacher_of_few_words_fell(make_run: Make) -> None:
    found = diversity(finding.read(make_run()["guard"]))
    for name in ("coverage", "entropy_1", "distinct_1", "compression"):
        assert found.measures[name].fell("teacher"), name
        assert not found.measures[name].fell("real")
    assert found.texts > 0 and set(found.lengths) == {"teacher", "mix"}


def test_too_few_texts_are_undefined(make_run: Make) -> None:
    inputs = make_run()
    path = inputs["filter"] / "real.jsonl"
    write_rows(path, list(read_rows(path))[:10])
    watch(inputs)
    found = diversity(finding.read(inputs["guard"]))
    assert "10 texts of real" in str(found.undefined) and not found.measures


def test_the_order_of_the_rows_does_not_matter(make_run: Make) -> None:
    inputs = make_run()
    first = diversity(finding.read(inputs["guard"]))
    path = inputs["filter"] / "kept.jsonl"
    write_rows(path, list(read_rows(path))[::-1])
    watch(inputs)
    assert diversity(finding.read(inputs["guard"])) == first
