"""Shares of what the user names, and when they grow."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from distill.collapse.attributes import Attribute, Share, amplified, share

READ: TypeAdapter[Attribute] = TypeAdapter(Attribute)


@pytest.mark.parametrize(
    ("spec", "having", "lacking", "untold"),
    [
        ({"kind": "words", "words": ["She", "her"]}, ["she left.", "HER hat"], ["sherry", "he"], []),
        (
            {"kind": "language", "language": "de"},
            ["Das ist der Hund und die Katze, die ich nicht mag."],
            ["This is the dog and the cat that I do not like."],
            ["Ok"],
        ),
        ({"kind": "length", "min_words": 2, "max_words": 3}, ["a b", "a b c"], ["a", "a b c d"], []),
        ({"kind": "pattern", "pattern": r"\bain't\b"}, ["It Ain't so"], ["it is not"], []),
    ],
)
def test_who_has_it(spec: dict[str, object], having: list[str], lacking: list[str], untold: list[str]) -> None:
    attribute = READ.validate_python({"name": "it", **spec})
    assert share(attribute, [*having, *lacking, *untold]) == Share(len(having), len(having) + len(lacking), len(untold))
    assert [attribute.has(text) for text in having] == [True] * len(having)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"kind": "words", "words": ["New York"]}, "not one word each: 'New York'"),
        ({"kind": "words", "words": []}, "at least 1"),
        ({"kind": "language", "language": "klingon"}, "klingon"),
        ({"kind": "length"}, "every text"),
        ({"kind": "length", "min_words": 5, "max_words": 3}, "below min_words"),
        ({"kind": "pattern", "pattern": "("}, "no regular expression"),
    ],
)
def test_what_cannot_be_counted_is_refused(spec: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says.replace("(", r"\(")):
        READ.validate_python({"name": "it", **spec})


def test_an_interval_of_shares_is_newcombes() -> None:
    """Method 10 of the paper's table II, (a): 56 of 70 and 48 of 80."""
    low, high = Share(56, 70, 0).beside(Share(48, 80, 0))
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_what_goes_on_the_same_way_is_amplified() -> None:
    people, teacher = Share(100, 1000, 0), Share(200, 1000, 0)
    assert amplified(people, teacher, Share(300, 1000, 0))
    assert not amplified(people, teacher, Share(210, 1000, 0))
    assert not amplified(people, teacher, Share(120, 1000, 0))
    assert not amplified(people, Share(105, 1000, 0), Share(300, 1000, 0))
    assert amplified(teacher, people, Share(20, 1000, 0))
