"""Answers that stop in the middle, are left open or say nothing."""

from __future__ import annotations

import pytest

from distill.filter.text.finished import Finished
from distill.protocols import Verdict
from distill.rows import Row
from tests.filter.make import chat, pair, text


def finished(row: Row) -> Verdict:
    return Finished().judge([row])[0]


def test_an_answer_that_ended_by_itself_is_kept() -> None:
    assert finished(chat("q", "an answer")).keep


def test_truncated() -> None:
    verdict = finished(chat("q", "word " * 50 + "and then", finish="length"))
    assert (verdict.keep, verdict.reason, verdict.score) == (False, "truncated", 258)
    assert verdict.evidence is not None and verdict.evidence.endswith("and then")


@pytest.mark.parametrize("text", ["", "  \n\t", "\u200b\u200b", "\u00a0"])
def test_empty(text: str) -> None:
    assert finished(chat("q", text)).reason == "empty"


@pytest.mark.parametrize("text", [".", "0", "😀", "。"])
def test_little_is_not_empty(text: str) -> None:
    assert finished(chat("q", text)).keep


def test_unclosed_thinking() -> None:
    assert finished(chat("q", " <think>\nFirst, let me")).reason == "unclosed_thinking"
    assert finished(chat("q", "<think>so</think>Yes.")).keep
    assert finished(chat("q", "The tag <think> opens it.")).keep


def test_real_rows_are_not_asked_how_they_ended() -> None:
    assert finished(chat("q", "", real=True)).keep
    assert not Finished.judges_real


def test_a_row_that_does_not_say_how_it_ended_passes() -> None:
    row = chat("q", "a")
    assert finished(row.model_copy(update={"provenance": row.provenance.model_copy(update={"sampling": {}})})).keep


@pytest.mark.parametrize(
    "answer",
    [
        "Here it is:\n```python\nprint(1)",
        "Here it is:\n\n~~~\nls -l\n",
        "1. Do this:\n   ```sh\n   ls\n2. And that.",
        "````md\n```\ncode\n```\n",
        "```a```\n```\nx",
        "```\na\n```python\nb",
    ],
)
def test_open_code(answer: str) -> None:
    verdict = finished(chat("q", answer))
    assert (verdict.reason, verdict.score) == ("open_code", len(answer))


@pytest.mark.parametrize(
    "answer",
    [
        "```python\nprint(1)\n```",
        "```\na\n```\nand\n```\nb\n```\n",
        "````md\n```\ncode\n```\n````",
        "Three backquotes, ```, open a block.",
        "```inline``` is code.",
        "~~~\n```\n~~~\nDone.",
        "- item\n  ```\n  x\n  ```",
        "print(1)\n```",
    ],
)
def test_closed_code(answer: str) -> None:
    assert finished(chat("q", answer)).keep


@pytest.mark.parametrize(
    "answer",
    [
        "The mill stands by the river. Nobody has ground corn there since the",
        "The mill stands by the river.\n\nIt was built of stone, of wood and of iron, and",
        "First we add the two numbers. Then we take the result and divide it by seven,",
    ],
)
def test_mid_sentence(answer: str) -> None:
    verdict = finished(chat("q", answer))
    assert verdict.reason == "mid_sentence" and answer.endswith((verdict.evidence or "")[-20:])


@pytest.mark.parametrize(
    "answer",
    [
        "The mill stands by the river. Nobody has ground corn there since the flood",
        "nobody has ground corn there by the river since the",
        "That is all I know. Best regards,",
        "Take the following. docker run -it --rm ubuntu:22.04 --name x -p 80:80 --volume /a:/b of",
        "Das weiß ich nicht. Ich rufe dich morgen um zehn Uhr vom Bahnhof an",
        "Where do we go? I asked where on earth all of these people come from",
        "",
    ],
)
def test_ends_that_may_be_meant(answer: str) -> None:
    assert finished(chat("q", answer)).reason in ("", "empty")


def test_every_answer_of_a_row_is_looked_at() -> None:
    assert finished(chat("q", " ", "r", "An answer.")).reason == "empty"
    assert finished(pair("q", "a", "```\nx")).reason == "open_code"
    assert finished(text("```\nx")).reason == "open_code"
    assert finished(chat("only a prompt")).keep
