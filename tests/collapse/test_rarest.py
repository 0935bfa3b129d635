"""The tenth with the rarest words."""

from __future__ import annotations

from distill.collapse.rarest import FEWEST, rarest

PEOPLE = [["the", "sea", "is", "blue"]] * 50 + [["a", "quaint", "quern"]]


def test_those_with_words_that_people_seldom_have_come_first() -> None:
    texts = {f"plain{n}": "the sea is blue" for n in range(180)}
    texts |= {f"odd{n}": "a quaint quern" for n in range(19)} | {"unseen": "zyzzyva quixotry"} | {"none": "…"}
    found = rarest(texts, PEOPLE)
    assert len(found) == 20 and found[0] == "unseen"
    assert {key[:3] for key in found[1:]} == {"odd"}
    assert rarest(dict(reversed(texts.items())), PEOPLE) == found


def test_a_tenth_of_few_says_nothing() -> None:
    assert rarest(dict.fromkeys(range(10 * FEWEST - 1), "the sea"), PEOPLE) == []
