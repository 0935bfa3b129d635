"""A verdict is read, or it is none."""

from __future__ import annotations

import pytest

from distill.generate.author import Author, Unusable
from distill.generate.verdicts import asked_whether, read
from distill.protocols import Completion

SAME, DIFFERENT = ("equal", "same"), ("not equal", "different")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Equal", True),
        ("not equal", False),
        ("**Not equal**: the second asks for more.", False),
        ("They are the same.", True),
        ('My judgement: "different".', False),
        ("Not\nequal", False),
    ],
)
def test_the_first_verdict_counts_and_a_longer_one_before_its_part(text: str, verdict: bool) -> None:
    assert read(text, SAME, DIFFERENT) is verdict


@pytest.mark.parametrize("text", ["Perhaps.", "unequalled", "Equality is a right."])
def test_no_verdict_is_never_a_no(text: str) -> None:
    with pytest.raises(Unusable, match="unclear_judgement"):
        read(text, SAME, DIFFERENT)


def test_it_is_asked_without_noise(author: Author) -> None:
    asking = asked_whether(author, "Is it?")
    request = next(asking)
    assert (request.sampling.temperature, request.sampling.max_new_tokens) == (0, 64)
    with pytest.raises(Unusable, match="engine_error"):
        asking.send(Completion(request.key, "", "error", 1, 0, error="gone"))
