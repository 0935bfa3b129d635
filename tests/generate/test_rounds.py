"""How many candidates a method is asked for next."""

from __future__ import annotations

import pytest

from distill.generate.answer import Answer
from distill.generate.rounds import Stream

METHOD = Answer(prompts="chat")


@pytest.mark.parametrize(
    ("quota", "asked", "kept", "wanted"),
    [
        (240, 0, 0, 264),  # the first round: a tenth more
        (240, 265, 200, 59),  # 40 more at the yield so far, and a tenth more
        (240, 265, 240, 0),
        (240, 265, 0, 265),  # no row yet: at most twice what was asked, not the whole budget at once
        (240, 20, 0, 32),
        (2, 3, 1, 3),
    ],
)
def test_what_is_asked_next_follows_from_the_yield_so_far(quota: int, asked: int, kept: int, wanted: int) -> None:
    assert Stream(METHOD, quota, iter(()), asked, kept).wanted() == wanted


def test_a_method_without_candidates_is_asked_for_none() -> None:
    stream = Stream(METHOD, 5, iter(()))
    assert stream.take(3) == []
    assert stream.exhausted
    assert stream.wanted() == 0
