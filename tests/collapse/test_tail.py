"""Rare words that filters take away, against what can be counted by hand."""

from __future__ import annotations

from math import comb

import pytest

from distill.collapse.tail import KEPT, rare_words, tail_lost


def test_a_word_is_rare_by_the_texts_that_have_it() -> None:
    often = [["common", "once", "once"], *([["common"]] * 5)]
    assert rare_words(often) == {"once"}


def test_shares_are_those_that_can_be_counted() -> None:
    """Forty words, each in two rows of its own: of eighty rows one filter drops both rows of ten words, another one row each of
    ten others."""
    rows = [f"word{place // 2}" for place in range(80)]
    judged = [
        ("both" if place < 20 else "one" if place < 40 and place % 2 else KEPT, row) for place, row in enumerate(rows)
    ]
    both, one = tail_lost(judged, frozenset(rows), seed=1)
    assert (both.filter, both.rows, both.of, both.words, both.lost) == ("both", 20, 80, 40, 0.25)
    by_lot = comb(78, 18) / comb(80, 20)
    assert both.by_lot == pytest.approx(by_lot, abs=0.01)
    assert both.beyond == both.lost - both.by_lot > 0.15
    assert (one.filter, one.rows, one.lost, one.beyond) == ("one", 10, 0.0, 0.0)


def test_of_few_rare_words_nothing_is_said() -> None:
    assert tail_lost([("length", "a b"), (KEPT, "c")], frozenset("abc"), 0) == ()


def test_words_that_no_judged_row_has_are_nobodys_loss() -> None:
    rows = [(KEPT if place else "length", f"word{place}") for place in range(30)]
    (one,) = tail_lost(rows, frozenset([*(row for _, row in rows), "elsewhere"]), 0)
    assert one.words == 30 and one.lost == pytest.approx(1 / 30) and one.beyond == 0
