"""The Vendi score and dispersion against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from distill.collapse.grams import grams, once
from distill.collapse.spread import dispersion, vendi, word_vectors


def test_copies_count_as_one_and_strangers_each() -> None:
    assert vendi(np.tile(np.eye(4)[:1], (7, 1))) == pytest.approx(1)
    assert vendi(np.eye(4)) == pytest.approx(4)
    assert vendi(np.zeros((0, 4))) == 0


def test_two_groups_of_three_and_one() -> None:
    shares = (0.75, 0.25)
    assert vendi(np.eye(2)[[0, 0, 0, 1]]) == pytest.approx(math.exp(-sum(p * math.log(p) for p in shares)))


def test_the_small_side_and_the_kernel_agree() -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(vectors @ vectors.T / 30)
    shares = values[values > 1e-12]
    assert vendi(vectors) == pytest.approx(math.exp(-(shares * np.log(shares)).sum()))


def test_dispersion_is_the_mean_over_pairs() -> None:
    vectors = np.random.default_rng(1).normal(size=(6, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [1 - vectors[a] @ vectors[b] for a in range(6) for b in range(6) if a != b]
    assert dispersion(vectors) == pytest.approx(np.mean(pairs))
    assert dispersion(vectors[:1]) == 0


def test_texts_that_share_only_common_words_lie_apart() -> None:
    rarity = np.array([0.1, 0.1, 4.0, 4.0, 4.0])
    words = [["of", "the", "lamp"], ["of", "lamp", "the", "the"], ["of", "river"]]
    run = once(grams(words, {})[1])
    same, other, third = word_vectors(run, 3, rarity)
    assert same @ other == pytest.approx(1)
    assert abs(same @ third) < 0.2
