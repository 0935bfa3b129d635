"""What is read of a judge's words, and what is not."""

from __future__ import annotations

import json

import pytest

from distill.forms import Malformed
from distill.judge.reading import SCHEMA, choice


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('{"reason": "B forgets the date", "better": "A"}', "first"),
        ('Sure!\n```json\n{"better": "B"}\n```', "second"),
        ('{"reason": "alike", "better": "tie"}', "tie"),
        ('{"reason": "", "better": "Answer B."}', "second"),
        ('{"reason": "", "better": "**a**"}', "first"),
        ('{"reason": "", "better": "answer_A"}', "first"),
        ('{"note": 1} {"better": "Tie"}', "tie"),
        ("B is longer, and still: [[A]]", "first"),
        ("[[ tie ]]", "tie"),
        ("B", "second"),
        ("  Answer A.\n", "first"),
        ("Tie", "tie"),
    ],
)
def test_a_choice_is_read(said: str, expected: str) -> None:
    assert choice(said) == expected


@pytest.mark.parametrize(
    "said",
    [
        "", "A or B", "Both are good.", "Answer A is better than B.", "A B", "[[A]] or [[B]]", "[[C]]",
        '{"reason": "x", "better": "A or B"}', '{"reason": "x", "better": "your choice"}', '{"better": null}',
        '{"better": ["A"]}', '{"better": 1}', '{"reason": "it goes on', "A\nB", "{" * 5000,
    ],
)  # fmt: skip
def test_what_does_not_say_one_thing_is_not_read(said: str) -> None:
    with pytest.raises(Malformed):
        choice(said)


def test_a_long_answer_is_read_in_no_time() -> None:
    assert choice("[[ " * 30_000 + '{"better": "A"}') == "first"
    with pytest.raises(Malformed):
        choice("a" * 100_000)


def test_the_form_asks_for_a_reason_before_the_choice() -> None:
    schema = json.loads(SCHEMA)
    assert schema["required"] == ["reason", "better"] == list(schema["properties"])
    assert schema["properties"]["better"]["enum"] == ["A", "B", "tie"]
