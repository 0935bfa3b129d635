"""What is drawn: the same for the same seed and candidate, even where it is dealt."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from distill.generate.draws import Span, dealt, distinct, in_order, one, several
from tests.generate.conftest import real

ITEMS = ["a", "b", "c", "d", "e"]


def test_every_item_is_dealt_once_before_any_comes_again_and_each_deck_is_shuffled_anew() -> None:
    decks = ["".join(dealt(ITEMS, deck * 5 + place, 7) for place in range(5)) for deck in range(20)]
    assert all(sorted(deck) == ITEMS for deck in decks)
    assert len(set(decks)) > 15
    assert decks[0] != "".join(dealt(ITEMS, place, 8) for place in range(5))


def test_a_draw_depends_on_what_it_is_for() -> None:
    assert len({one(ITEMS, 7, "style", index) for index in range(30)}) == 5
    assert [one(ITEMS, 7, "style", index) for index in range(9)] != [one(ITEMS, 7, "way", index) for index in range(9)]
    assert len(set(several(ITEMS, 3, 7, "seeds", 0))) == 3 and sorted(several(ITEMS, 9, 7)) == ITEMS


def test_rows_are_one_of_each_root_in_an_order_of_the_seed() -> None:
    rows = [real(f"What about subject {number}?", answer) for number in range(9) for answer in ("so", "or so")]
    assert [row.answer for row in distinct(rows)] == ["so"] * 9
    assert [row.question for row in in_order(rows, 7)] != [row.question for row in in_order(rows, 8)]
    assert [row.question for row in in_order(rows, 7)] == [row.question for row in in_order(rows[::-1], 7)]


def test_a_span_is_a_number_or_two_ends() -> None:
    assert Span.model_validate(3) == Span(min=3, max=3) and Span(min=3, max=3).draw(1) == 3
    assert {Span(min=2, max=4).draw(7, index) for index in range(40)} == {2, 3, 4}
    for wrong in (0, {"min": 2, "max": 1}, {"min": 1, "max": 2, "step": 1}, "two"):
        with pytest.raises(ValidationError):
            Span.model_validate(wrong)
    assert Span.model_json_schema()["anyOf"][0]["type"] == "integer"
