"""Hashes of terms, found in arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.filter.duplicates import tokens
from distill.filter.duplicates.tokens import hash_terms
from distill.words import UNSPACED, terms

PIECES = st.sampled_from(
    ["a", "B", "9", " ", "\n", "-", "--", "(", "+", "*=", "_", "é", "ß", "ﬁ", "你", "ไ", "न", "ि", "😀"]
)
TEXTS = st.lists(st.one_of(st.text(max_size=20), st.lists(PIECES, max_size=12).map("".join)), max_size=8)


@given(TEXTS)
@settings(deadline=None)  # the first call makes the tables
def test_the_terms_are_those_of_words(texts: list[str]) -> None:
    expected = [terms(text) or text.split() for text in texts]
    hashes, counts = hash_terms(texts)
    assert counts.tolist() == [len(found) for found in expected]
    flat = [term for found in expected for term in found]
    by_term: dict[str, int] = {}
    for term, value in zip(flat, hashes.tolist(), strict=True):
        assert by_term.setdefault(term, value) == value
    assert len(set(by_term.values())) == len(by_term)


@given(TEXTS)
@settings(deadline=None)  # the first call makes the tables
def test_a_text_has_the_same_hashes_in_any_company(texts: list[str]) -> None:
    alone = [hash_terms([text])[0] for text in texts]
    assert np.concatenate([np.zeros(0, np.uint64), *alone]).tolist() == hash_terms(texts)[0].tolist()


def test_hashes_are_the_same_on_every_machine() -> None:
    # Pinned: a change makes other duplicates on other machines.
    assert hash_terms(["Word 2+2"])[0].tolist() == [
        10833900851244807769,
        491954077667728179,
        17414019279807808144,
        491954077667728179,
    ]


def test_no_texts_and_empty_ones() -> None:
    assert hash_terms([])[1].tolist() == []
    assert hash_terms(["", "a", ""])[1].tolist() == [0, 1, 0]
    assert hash_terms(["", ""])[1].tolist() == [0, 0]


def test_lone_surrogates_are_characters() -> None:
    hashes, counts = hash_terms(["\ud800", "\ud801 \ud800", "a\ud800b"])
    assert counts.tolist() == [1, 2, 2] and hashes[0] == hashes[2] != hashes[1]


def test_long_texts_are_swept_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"some {n} words, {UNSPACED[: n % 3]} and more" for n in range(50)] + ["long " * 3000]
    hashes, counts = hash_terms(texts)
    monkeypatch.setattr(tokens, "CHUNK", 100)
    again, same = hash_terms(texts)
    assert np.array_equal(hashes, again) and np.array_equal(counts, same)


def test_many_terms_do_not_collide() -> None:
    found = [f"{a}{b}{c}" for a in "abcdefghij" for b in "abcdefghij" for c in range(1000)]
    assert len(np.unique(hash_terms([" ".join(found)])[0])) == len(found)
