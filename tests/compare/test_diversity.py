"""Variety is compared at equal length."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.compare.diversity import compare, read_diversity
from distill.rows import read_rows, write_rows

Make = Callable[..., dict[str, Path]]


def texts(count: int, words: int, vocabulary: int, seed: int = 0) -> list[list[str]]:
    draw = random.Random(seed)
    return [[f"w{draw.randrange(vocabulary)}" for _ in range(words)] for _ in range(count)]


def test_a_smaller_vocabulary_is_seen() -> None:
    found = compare(texts(50, 20, 30), texts(50, 20, 2000))
    assert found.teacher is not None and found.real is not None
    assert found.teacher.distinct_1 < found.real.distinct_1
    assert found.teacher.compression_ratio > found.real.compression_ratio


def test_length_alone_makes_no_difference() -> None:
    # Raw, the longer corpus has a far lower share of different words; cut to equal length it has the same.
    found = compare(texts(100, 80, 300, seed=1), texts(100, 10, 300, seed=2))
    assert found.words == 1000 and found.teacher is not None and found.real is not None
    assert found.teacher.distinct_1 == pytest.approx(found.real.distinct_1, abs=0.03)


def test_known_values() -> None:
    found = compare([["a", "b", "a"]], [["a", "b", "c"]])
    assert found.teacher is not None and found.teacher.distinct_1 == pytest.approx(2 / 3)
    assert found.teacher.distinct_2 == 1.0


def test_nothing_to_compare_with_is_undefined() -> None:
    found = compare(texts(5, 5, 5), [])
    assert found.teacher is None and found.real is None and "real answers" in str(found.undefined)


def test_the_order_of_the_rows_does_not_matter(make_run: Make) -> None:
    inputs = make_run()
    first = read_diversity(inputs, seed=3)
    path = inputs["filter"] / "kept.jsonl"
    write_rows(path, list(read_rows(path))[::-1])
    assert read_diversity(inputs, seed=3) == first
