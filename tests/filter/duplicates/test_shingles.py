"""Hashes of the n-grams of words."""

from __future__ import annotations

import numpy as np

from distill.filter.duplicates.shingles import WordHashes, stable_hash


def test_hashes_are_the_same_in_every_process() -> None:
    # Pinned: a change makes other duplicates on other machines.
    assert stable_hash("word") == 10776770685243991114
    assert WordHashes().ngrams([["a", "b", "c"]], 2)[0].tolist() == [11994915718967455051, 9797326177249301291]


def test_ngrams_stay_within_their_text() -> None:
    hashes = WordHashes()
    texts = [list("abcd"), list("ab"), [], list("bcd")]
    grams, counts = hashes.ngrams(texts, 3)
    assert counts.tolist() == [2, 1, 1, 1]
    assert len(grams) == 5
    # "bcd" is in the first and is the last; the others are each their own.
    assert grams[1] == grams[4] and len(np.unique(grams)) == 4
    alone = [hashes.ngrams([text], 3)[0] for text in texts]
    assert np.concatenate(alone).tolist() == grams.tolist()


def test_the_order_of_the_words_counts() -> None:
    grams, _ = WordHashes().ngrams([["a", "b", "c"], ["c", "b", "a"], ["b", "a", "c"]], 3)
    assert len(np.unique(grams)) == 3


def test_no_texts_have_no_ngrams() -> None:
    grams, counts = WordHashes().ngrams([], 3)
    assert len(grams) == len(counts) == 0
