"""Candidates by MinHash, decisions by true Jaccard."""

from __future__ import annotations

import random

import numpy as np
import pytest

from distill.filter.minhash import HASHES, RECALL, Keepers, Sketcher, band_rows, jaccard
from distill.words import terms


def shingles(text: str, n: int = 3) -> set[tuple[str, ...]]:
    found = terms(text)
    return {tuple(found[i : i + n]) for i in range(max(1, len(found) - n + 1))}


def true_jaccard(one: str, other: str) -> float:
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)


def sentence(rng: random.Random, words: int) -> list[str]:
    return [f"w{rng.randrange(2000)}" for _ in range(words)]


def changed(rng: random.Random, words: list[str], times: int) -> list[str]:
    words = list(words)
    for _ in range(times):
        words[rng.randrange(len(words))] = f"x{rng.randrange(10**6)}"
    return words


def test_jaccard_is_the_true_one() -> None:
    rng = random.Random(0)
    base = sentence(rng, 60)
    texts = [" ".join(changed(rng, base, times)) for times in (0, 1, 3, 10, 60)] + ["", "w1"]
    sketches = Sketcher(3, 5)([(text,) for text in texts])
    for one, sketch in zip(texts, sketches, strict=True):
        found = jaccard(sketch.shingles, [other.shingles for other in sketches])
        assert found == pytest.approx([true_jaccard(one, other) for other in texts])


def test_of_two_texts_the_smaller_jaccard_counts() -> None:
    same, half = "a b c d e f g h", "a b c d e f x y"
    sketches = Sketcher(3, 5)([(same, same), (same, half), (half, same), (half, half), ("", same)])
    found = jaccard(sketches[0].shingles, [sketch.shingles for sketch in sketches])
    assert found == pytest.approx([1.0, 4 / 8, 4 / 8, 4 / 8, 0.0])


def test_question_and_answer_do_not_stand_in_for_each_other() -> None:
    sketches = Sketcher(3, 5)([("a b c d", "e f g h"), ("e f g h", "a b c d")])
    assert jaccard(sketches[0].shingles, [sketches[1].shingles]) == pytest.approx([0.0])


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_the_bands_find_what_is_at_the_threshold(threshold: float) -> None:
    rows = band_rows(threshold)
    assert 1 - (1 - threshold**rows) ** (HASHES // rows) >= RECALL
    if rows < 16:
        assert 1 - (1 - threshold ** (rows + 1)) ** (HASHES // (rows + 1)) < RECALL


def test_pairs_just_above_the_threshold_are_found() -> None:
    rng = random.Random(1)
    pairs = []
    while len(pairs) < 300:
        base = sentence(rng, 120)
        other = changed(rng, base, 4)
        if 0.8 <= true_jaccard(" ".join(base), " ".join(other)) < 0.84:
            pairs.append((" ".join(base), " ".join(other)))
    sketch = Sketcher(3, band_rows(0.8))
    found = 0
    for one, other in pairs:
        keepers = Keepers()
        first, second = sketch([(one,), (other,)])
        keepers.add(first)
        nearest = keepers.nearest(second)
        found += nearest is not None and nearest[1] == pytest.approx(true_jaccard(one, other), abs=1e-4)
    assert found >= 0.97 * len(pairs)


def test_the_nearest_keeper_is_named_the_earliest_of_equals() -> None:
    texts = ["a b c d e f g h i j", "a b c d e f g h x y", "a b c d e f g h i j k", "a b c d e f g h i j l"]
    sketches = Sketcher(3, 1)([(text,) for text in texts])
    keepers = Keepers()
    for sketch in sketches:
        keepers.add(sketch)
    assert keepers.nearest(sketches[2]) == (2, 1.0)
    probe = Sketcher(3, 1)([("a b c d e f g h i j m",)])[0]
    nearest = keepers.nearest(probe)
    assert nearest is not None and nearest == (0, round(8 / 9, 4))


def test_unlike_rows_have_no_candidates() -> None:
    sketches = Sketcher(3, 5)([("one two three four",), ("five six seven eight",)])
    keepers = Keepers()
    keepers.add(sketches[0])
    assert keepers.nearest(sketches[1]) is None


def test_a_row_has_the_same_sketch_in_any_company() -> None:
    texts = [("a b c d e", "f g"), ("", "h"), ("今天天气很好", "x")]
    sketch = Sketcher(3, 5)
    for one, text in zip(sketch(texts), texts, strict=True):
        alone = sketch([text])[0]
        assert one.bands == alone.bands and np.array_equal(one.shingles, alone.shingles)
    assert sketch([]) == []
