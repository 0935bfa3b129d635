"""Forms: what is read of a text, and what is said of one that does not fit."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field

from distill.forms import Malformed, objects, read


class Marks(BaseModel):
    score: int = Field(ge=1, le=5)
    why: str = ""


@pytest.mark.parametrize(
    "text",
    [
        '{"score": 4}',
        'Sure!\n```json\n{"score": 4}\n```\nI hope this helps.',
        '{"score": 9} no: {"score": 4, "why": "it\nis {good}"}',
        '{ broken {"score": 4}',
    ],
)
def test_the_first_object_that_fits_is_read(text: str) -> None:
    assert read(text, Marks).score == 4


def test_what_does_not_fit_says_what_to_mend() -> None:
    with pytest.raises(Malformed, match=r"score: Input should be less than or equal to 5"):
        read('{"score": 9}', Marks)
    with pytest.raises(Malformed, match="no JSON object"):
        read("four", Marks)


def test_objects_inside_objects_are_not_counted() -> None:
    assert objects('{"a": {"b": 1}} {"c": 2} {{{') == [{"a": {"b": 1}}, {"c": 2}]
