"""n-grams and what is counted of them, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from distill.collapse.grams import covered, distinct, entropy, grams, hapax, self_repetition

TEXT = "a b a b c".split()


def of(*texts: list[str], size: int = 1) -> np.ndarray:
    found = grams(texts, {})
    return found.of(size, range(len(texts)))


def test_n_grams_are_those_of_the_text_and_no_more() -> None:
    found = grams([TEXT, ["a", "b"], ["c"]], {})
    assert [len(found.of(size, [0])) for size in (1, 2, 3, 4)] == [5, 4, 3, 2]
    assert [len(found.of(size, [2])) for size in (1, 2, 3, 4)] == [1, 0, 0, 0]
    ab = found.of(2, [1])[0]
    assert list(found.of(2, [0])).count(ab) == 2


def test_the_order_of_words_makes_another_n_gram() -> None:
    assert len(set(of(["a", "b"], ["b", "a"], size=2))) == 2


def test_shares_and_entropy_by_hand() -> None:
    assert distinct(of(TEXT)) == 3 / 5
    assert distinct(of(TEXT, size=2)) == 3 / 4
    assert hapax(of(TEXT)) == pytest.approx(1 / 3)
    expected = -(2 * 0.4 * math.log2(0.4) + 0.2 * math.log2(0.2))
    assert entropy(of(TEXT)) == pytest.approx(expected)
    assert entropy(of(["a"] * 9)) == 0


def test_a_uniform_vocabulary_has_the_entropy_of_its_size() -> None:
    assert entropy(of([f"w{n}" for n in range(256)])) == pytest.approx(8)


def test_repetition_between_texts_and_not_within_one() -> None:
    found = grams([["a", "b", "c", "d"], ["a", "b", "c", "d"], ["e", "f", "g", "h"]], {})
    assert self_repetition(found.by_size[4]) == pytest.approx(2 * math.log(2) / 3)
    alone = grams([["a", "a", "a", "a", "a", "a"]], {})
    assert self_repetition(alone.by_size[4]) == 0


def test_coverage_of_all_and_of_the_rare() -> None:
    vocabulary: dict[str, int] = {}
    reference = grams([["a", "a", "a", "b", "c"]], vocabulary).of(1, [0])
    candidate = grams([["a", "b", "z"]], vocabulary).of(1, [0])
    assert covered(reference, candidate) == pytest.approx(2 / 3)
    assert covered(reference, candidate, most=1) == pytest.approx(1 / 2)
