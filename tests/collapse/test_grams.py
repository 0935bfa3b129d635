"""n-grams and what is counted of them, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from distill.collapse.grams import covered, distinct, entropy, grams, hapax, once, self_repetition

TEXT = "a b a b c".split()


def of(*texts: list[str], size: int = 1) -> np.ndarray:
    return grams(texts, {})[size].counts(np.ones(len(texts), bool))


def repeated(*texts: list[str]) -> float:
    return self_repetition(once(grams(texts, {})[4]), np.ones(len(texts), bool))


def test_n_grams_are_those_of_the_text_and_no_more() -> None:
    found = grams([TEXT, ["a", "b"], ["c"]], {})
    first, last = np.array([True, False, False]), np.array([False, False, True])
    assert [int(found[size].counts(first).sum()) for size in (1, 2, 3, 4)] == [5, 4, 3, 2]
    assert [int(found[size].counts(last).sum()) for size in (1, 2, 3, 4)] == [1, 0, 0, 0]
    (ab,) = found[2].counts(np.array([False, True, False])).nonzero()[0]
    assert found[2].counts(first)[ab] == 2


def test_texts_shorter_than_an_n_gram_have_none() -> None:
    found = grams([["a"], [], ["b"]], {})
    assert [len(found[size].numbers) for size in (1, 2, 3, 4)] == [2, 0, 0, 0]
    assert repeated(["a"], ["b"]) == 0


def test_the_order_of_words_makes_another_n_gram() -> None:
    assert (of(["a", "b"], ["b", "a"], size=2) > 0).sum() == 2


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
    assert repeated(["a", "b", "c", "d"], ["a", "b", "c", "d"], ["e", "f", "g", "h"]) == pytest.approx(
        2 * math.log(2) / 3
    )
    assert repeated(["a", "a", "a", "a", "a", "a"]) == 0
    assert repeated(["a"] * 6, ["a"] * 9) == pytest.approx(math.log(2))


def test_repetition_is_of_the_texts_chosen() -> None:
    run = once(grams([["a", "b", "c", "d"]] * 2 + [["e", "f", "g", "h"]], {})[4])
    assert self_repetition(run, np.array([True, False, True])) == 0
    assert self_repetition(run, np.array([True, True, False])) == pytest.approx(math.log(2))
    assert self_repetition(run, np.zeros(3, bool)) == 0


def test_coverage_of_all_and_of_the_rare() -> None:
    vocabulary: dict[str, int] = {}
    alone = np.ones(1, bool)
    reference = grams([["a", "a", "a", "b", "c"]], vocabulary)[1].counts(alone)
    candidate = grams([["a", "b", "z"]], vocabulary)[1].counts(alone)
    for counts in (candidate, np.append(candidate, [0, 0])):
        assert covered(reference, counts) == pytest.approx(2 / 3)
        assert covered(reference, counts, most=1) == pytest.approx(1 / 2)
    assert covered(np.append(reference, [0, 4]), candidate) == pytest.approx(1 / 2)
