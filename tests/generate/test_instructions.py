"""What is read of what a teacher wrote, and whether it asks for anything."""

from __future__ import annotations

import pytest

from distill.generate.instructions import asks, overlap, parse, unwrapped, without


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("Sort these:\n\n- pear\n- apple", "Sort these:\n\n- pear\n- apple"),
        ("Sure, here is the rewritten question:\n\nSort these.\n\n3 1 2\n\nI hope this helps!", "Sort these.\n\n3 1 2"),
        ("**Rewritten prompt:** Why is it so?", "Why is it so?"),
        ("Rewritten question: Why is it so?\n\nAnswer: Because.", "Why is it so?"),
        ("Why is it so?\n\nThis new version asks for more.", "Why is it so?"),
        ("Fix this:\n\n```python\ndef f():\n    return 1\n```", "Fix this:\n\n```python\ndef f():\n    return 1\n```"),
        ("Here:\nfor x in y:\n    x()", "for x in y:\n    x()"),
        ("This version of the law is old. Why?", "This version of the law is old. Why?"),
    ],
)
def test_all_but_the_talk_around_it(text: str, whole: str) -> None:
    assert unwrapped(text) == whole


def test_bullets_within_an_instruction_stay() -> None:
    assert parse("Sort these:\n\n- pear\n- apple") == "Sort these:\n\n- pear\n- apple"
    assert parse("- Take 3 - 1 apples: how many?") == "Take 3 - 1 apples: how many?"


@pytest.mark.parametrize(
    "text",
    [
        "Is it",
        "Tell me more.",
        "I have a list. Please sort it.",
        "you think?",
        "Write it down",
        "Given x, compute y.",
        "Dime más.",
        "写一首诗",
    ],
)
def test_what_asks(text: str) -> None:
    assert asks(text)


@pytest.mark.parametrize(
    "text",
    [
        "The sky is blue.",
        "I'm glad that you are here.",
        "It is in the sea, which is deep.",
        "They were the first to do so.",
    ],
)
def test_what_does_not(text: str) -> None:
    assert not asks(text)


def test_a_label_goes_however_often_it_stands_there() -> None:
    assert without("Deeper:", 'Deeper: deeper: "Why?"') == "Why?"
    assert without("", "Why?") == "Why?"


def test_overlap_is_of_words() -> None:
    assert overlap("Why is it so?", "so it is, WHY") == 1
    assert overlap("为什么天是蓝的", "天为什么是蓝的") == 1
    assert overlap("?!", "?!") == 1 and overlap("?!", "!") == 0
