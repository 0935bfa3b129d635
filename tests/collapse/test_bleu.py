"""Self-BLEU against sacrebleu, text by text."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sacrebleu.metrics import BLEU

from distill.collapse.bleu import ranked, self_bleu
from distill.collapse.grams import grams


def ours(texts: list[list[str]], chosen: list[bool] | None = None) -> float:
    found = grams(texts, {})
    ranks = {size: ranked(run) for size, run in found.items()}
    mask = np.array(chosen if chosen is not None else [True] * len(texts))
    return self_bleu(ranks, list(map(len, texts)), mask)


def theirs(texts: list[list[str]]) -> float:
    said = [" ".join(text) for text in texts]
    bleu = BLEU(tokenize="none", effective_order=True)
    return float(np.mean([bleu.sentence_score(one, said[:n] + said[n + 1 :]).score for n, one in enumerate(said)]))


@pytest.mark.parametrize(("vocabulary", "seed"), [(5, 0), (30, 1), (200, 2), (4000, 3)])
def test_the_mean_is_sacrebleus(vocabulary: int, seed: int) -> None:
    draw = random.Random(seed)
    texts = [[f"w{draw.randrange(vocabulary)}" for _ in range(draw.randrange(1, 25))] for _ in range(30)]
    assert ours(texts) == pytest.approx(theirs(texts), abs=1e-6)


def test_copies_are_a_hundred_and_strangers_none() -> None:
    assert ours([["a", "b", "c", "d", "e"]] * 3) == pytest.approx(100)
    assert ours([["a", "b", "c", "d"], ["e", "f", "g", "h"]]) == 0


def test_only_the_chosen_are_looked_at() -> None:
    texts = [["a", "b", "c", "d"], ["a", "b", "c", "d"], ["e", "f", "g", "h"], ["e", "f", "a", "h"]]
    assert ours(texts, [True, False, True, True]) == pytest.approx(theirs([texts[0], *texts[2:]]))
    assert ours(texts, [True, False, False, False]) == 0
