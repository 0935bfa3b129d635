"""What counts as the same."""

from __future__ import annotations

import pytest

from distill.suites.matching import contained, exact, normal, normalised


def test_exact_is_sign_for_sign() -> None:
    assert exact(" Paris\n", "Paris")
    assert not exact("paris", "Paris")
    assert not exact("Paris.", "Paris")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The  cat, sat!", "cat sat"),
        ("A man and an ox", "man and ox"),
        ("another theme", "another theme"),
        ("well-known", "wellknown"),  # as SQuAD's own script has it
        ("«Où?» — “Là”…", "où là"),
        ("$5", "5"),
        ("你好。", "你好"),
    ],
)
def test_normalised_as_squad_does(text: str, found: str) -> None:
    assert normal(text) == found


def test_nothing_left_is_not_the_same_as_nothing_said() -> None:
    assert not normalised("", "The")
    assert not normalised("?!", "...")
    assert normalised("the", "The ")
    assert not normalised("", "Paris")


def test_an_article_that_punctuation_hides_goes_too() -> None:
    assert normalised("the, cat", "cat")


def test_an_answer_holds_a_reference_by_whole_words() -> None:
    assert contained("It is Paris, of course.", "paris")
    assert contained("Paris", "The Paris")
    assert contained("He is the King of Spain.", "king of a Spain")
    assert not contained("It is Parisian.", "Paris")
    assert not contained("of Paris the city", "city of Paris")
    assert not contained("", "Paris")
    assert not contained("Anything", "The") and contained("the", "The")
