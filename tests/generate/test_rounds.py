"""How many candidates a method is asked for next."""

from __future__ import annotations

import pytest

from distill.generate.streams import Stream


@pytest.mark.parametrize(
    ("quota", "asked", "kept", "wanted"),
    [
        (240, 0, 0, 264),  # the first round: a tenth more
        (240, 265, 200, 59),  # 40 more at the yield so far, and a tenth more
        (240, 265, 240, 0),
        (240, 265, 0, 480),  # no row yet: at most what is needed twice, not the whole budget at once
        (240, 600, 0, 600),  # nor more than was asked
        (240, 16, 8, 464),
        (2, 20, 0, 32),
        (2, 3, 1, 3),
        (2, 0, 0, 2),  # a few rows: no margin, or a grid of many cells would waste half of what it asks
        (9, 9, 8, 2),
    ],
)
def test_what_is_asked_next_follows_from_the_yield_so_far(quota: int, asked: int, kept: int, wanted: int) -> None:
    assert Stream("answer", quota, iter(()), "chat", asked, kept).wanted() == wanted


def test_a_method_without_candidates_is_asked_for_none() -> None:
    stream = Stream("answer", 5, iter(()))
    assert stream.take(3) == []
    assert stream.exhausted
    assert stream.wanted() == 0
