"""Texts of a known vocabulary."""

from __future__ import annotations

import random


def texts(count: int, words: int, vocabulary: int, seed: int = 0) -> list[list[str]]:
    """Every word is drawn alike often from so many."""
    draw = random.Random(seed)
    return [[f"w{draw.randrange(vocabulary)}" for _ in range(words)] for _ in range(count)]
