"""Candidates by MinHash, decisions by true Jaccard."""

from __future__ import annotations

import random

import numpy as np
import pytest

from distill.filter.duplicates import bands, minhash
from distill.filter.duplicates import sketch as sketches
from distill.filter.duplicates.keeper import Near
from distill.filter.duplicates.minhash import HASHES, RECALL, Keepers, band_keys, band_rows
from distill.filter.duplicates.sketch import Frequencies, Template, jaccard, join, sketch
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


def alike(texts: list[tuple[str, ...]], *, template: Template | None = None) -> list[float]:
    """Of the first row with each of the others."""
    sets = sketch(texts, 3)
    others = np.arange(1, len(texts))
    return jaccard(sets, np.zeros(len(others), dtype=int), sets, others, template or Template()).tolist()


def test_jaccard_is_the_true_one() -> None:
    rng = random.Random(0)
    base = sentence(rng, 60)
    texts = [" ".join(changed(rng, base, times)) for times in (0, 1, 3, 10, 60)] + ["", "w1"]
    for one in texts:
        assert alike([(text,) for text in [one, *texts]]) == pytest.approx(
            [true_jaccard(one, other) for other in texts]
        )


def test_of_two_texts_the_smaller_jaccard_counts() -> None:
    same, half = "a b c d e f g h", "a b c d e f x y"
    rows = [(same, same), (same, same), (same, half), (half, same), (half, half), ("", same)]
    assert alike(rows) == pytest.approx([1.0, 4 / 8, 4 / 8, 4 / 8, 0.0])


def test_question_and_answer_do_not_stand_in_for_each_other() -> None:
    assert alike([("a b c d", "e f g h"), ("e f g h", "a b c d")]) == [0.0]


def test_many_pairs_are_compared_in_bounded_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(2)
    base = sentence(rng, 30)
    texts: list[tuple[str, ...]] = [(" ".join(changed(rng, base, n % 9)),) for n in range(50)]
    expected = alike(texts)
    monkeypatch.setattr(sketches, "_PAIRS", 100)
    assert alike(texts) == expected


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
    found = 0
    for one, other in pairs:
        first, second = Keepers(0.8).judge(sketch([(one,), (other,)], 3))
        assert first is None
        found += second is not None and second.alike == pytest.approx(true_jaccard(one, other))
    assert found >= 0.97 * len(pairs)


def test_pairs_just_below_the_threshold_are_both_kept() -> None:
    rng = random.Random(1)
    texts = []
    while len(texts) < 200:
        base = sentence(rng, 120)
        other = changed(rng, base, 5)
        if 0.76 <= true_jaccard(" ".join(base), " ".join(other)) < 0.8:
            texts += [(" ".join(base),), (" ".join(other),)]
    assert set(Keepers(0.8).judge(sketch(texts, 3))) == {None}


def test_at_the_threshold_is_near_and_just_below_is_not() -> None:
    # 10 shingles in common, 12 in all.
    one, other = "a b c d e f g h i j k l m", "x b c d e f g h i j k l m"
    assert true_jaccard(one, other) == 10 / 12
    sets = sketch([(one,), (other,)], 3)
    assert Keepers(10 / 12).judge(sets) == [None, Near(0, 10 / 12)]
    assert Keepers(10 / 12 + 1e-9).judge(sets) == [None, None]


def test_the_nearest_keeper_is_named_the_earliest_of_equals() -> None:
    texts = ["a b c d e f g h i j", "a b c d e f g h x y", "a b c d e f g h i j m n", "a b c d e f g h i j m"]
    for batch in (1, 4):
        keepers = Keepers(0.85)
        sets = sketch([(text,) for text in texts], 3)
        found = [near for at in range(0, 4, batch) for near in keepers.judge(sets.slice(at, at + batch))]
        # The third is the nearest to the last; of the first it has as much as of the third.
        assert found == [None, None, None, Near(2, 0.9)]
        assert keepers.judge(sets) == [Near(0, 1.0), Near(1, 1.0), Near(2, 1.0), Near(2, 0.9)]
        again = sketch([("a b c d e f g h i j k",)], 3)
        assert keepers.judge(again) == [Near(0, 8 / 9)]


def test_unlike_rows_are_all_kept() -> None:
    assert Keepers(0.8).judge(sketch([("one two three four",), ("five six seven eight",)], 3)) == [None, None]


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_batches_change_nothing_where_buckets_are_full(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "BUCKET", 2)
    monkeypatch.setattr(minhash, "BUCKET", 2)
    monkeypatch.setattr(minhash, "CANDIDATES", 2)
    rng = random.Random(4)
    base = sentence(rng, 60)
    # Most are kept, and share many bands with many keepers; some come again.
    texts = [(" ".join(changed(rng, base, rng.randrange(2, 12))),) for _ in range(150)]
    sets = sketch(texts + rng.sample(texts, 50), 3)

    def judged(size: int) -> list[Near | None]:
        keepers = Keepers(0.8)
        return [near for start in range(0, 200, size) for near in keepers.judge(sets.slice(start, start + size))]

    expected = judged(200)
    assert None in expected and any(expected)
    assert judged(batch) == expected


def test_a_row_has_the_same_shingles_in_any_company() -> None:
    texts = [("a b c d e", "f g"), ("", "h"), ("今天天气很好", "x"), ("😀 😀", "\ud800")]
    sets = sketch(texts, 3)
    for place, text in enumerate(texts):
        assert np.array_equal(sets.slice(place, place + 1).shingles, sketch([text], 3).shingles)
    assert np.array_equal(sets.take([2, 0, 2]).shingles, sketch([texts[2], texts[0], texts[2]], 3).shingles)
    joined = join([sets.slice(0, 1), sets.slice(1, 4)])
    assert np.array_equal(joined.shingles, sets.shingles) and np.array_equal(joined.bounds, sets.bounds)


def test_keys_are_the_same_on_every_machine() -> None:
    # Pinned: a change makes other candidates on other machines.
    assert band_keys(sketch([("a b c d", "e f g")], 3), 5)[0, :2].tolist() == [
        8075465753381388737,
        7455186004003175364,
    ]


def framed(n: int) -> tuple[str, ...]:
    """A row that is mostly the same in all."""
    frame = " ".join(f"f{i}" for i in range(60))
    return (f"{frame} x{n} y{n} z{n} and this", f"{frame} u{n} v{n}")


def test_template_makes_no_two_rows_alike() -> None:
    sets = sketch([framed(n) for n in range(30)], 3)
    frequencies = Frequencies()
    frequencies.add(sets)
    template = frequencies.template(0.05)
    assert alike([framed(0), framed(1)])[0] > 0.8
    assert alike([framed(0), framed(1), framed(0)], template=template) == [0.0, 1.0]
    # What is nothing but template is taken whole.
    frame, other = " ".join(f"f{i}" for i in range(60)), " ".join(f"f{i}" for i in range(30))
    assert alike([(frame, frame), (frame, frame), (frame, other)], template=template) == pytest.approx([1, 28 / 58])
    # So are answers to one question.
    question, answer = framed(3)
    assert alike([(question, answer), (question, framed(4)[1])], template=template)[0] > 0.8
    assert Frequencies().template(0.05).cells is None


def test_rows_that_are_kept_without_template_are_found_when_it_is_none_any_more() -> None:
    keepers = Keepers(0.8)
    sets = sketch([framed(n) for n in range(40)], 3)
    frequencies = Frequencies()
    frequencies.add(sets)
    keepers.forget(frequencies.template(0.05))
    assert keepers.judge(sets) == [None] * 40
    keepers.forget(Template())
    other = sketch([(framed(50)[0], framed(50)[1] + " z")], 3)
    assert keepers.judge(other)[0]


def test_what_became_template_is_left_out_of_the_keepers_too() -> None:
    keepers = Keepers(0.8)
    sets = sketch([framed(n) for n in range(100)], 3)
    assert sum(near is None for near in keepers.judge(sets.slice(0, 50))) == 1
    frequencies = Frequencies()
    frequencies.add(sets)
    keepers.forget(frequencies.template(0.05))
    assert keepers.judge(sets.slice(50, 100)) == [None] * 50
    # All of them are found again, and the one from before.
    assert [near and near.alike for near in keepers.judge(sets.slice(50, 100))] == [1.0] * 50
    assert keepers.judge(sets.slice(0, 1)) == [Near(0, 1.0)]
    # So is a row of nothing but template, though nothing else in it could be.
    frame = " ".join(f"f{i}" for i in range(60))
    found = keepers.judge(sketch([(frame, frame), (f"x y {frame}", "z"), (frame, frame)], 3))
    assert found[0] is None and found[2] and found[2].alike == 1
    # And again when it is template no more: all are near to the first, or the same as one.
    keepers.forget(Template())
    assert [near and near.alike for near in keepers.judge(sets.slice(50, 100))] == [1.0] * 50
    assert keepers.judge(sets.slice(20, 21))[0]
