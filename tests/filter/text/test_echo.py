"""Answers that say the prompt again, and those that only begin with it."""

from __future__ import annotations

import pytest

from distill.filter.text.echo import Echo
from distill.protocols import Verdict
from tests.filter.make import chat, pair, text

ASKED = "What is the tallest mountain on the island of Java?"


def judged(question: str, answer: str, **fields: float) -> Verdict:
    return Echo(**fields).judge([chat(question, answer)])[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer",
    [
        ASKED,
        ASKED.upper(),
        f'"{ASKED}"',
        f"> {ASKED}\n",
        f"{ASKED}\n{ASKED}",
        f"{ASKED} What is the tallest mountain",
        "What is the tallest mountain on the island of",
    ],
)
def test_echo(answer: str) -> None:
    verdict = judged(ASKED, answer)
    assert verdict.reason == "echoes_prompt" and verdict.score is not None and 0.9 <= verdict.score <= 1


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (ASKED, f"{ASKED} Semeru."),
        (ASKED, f"{ASKED}\n\nIt is Semeru, a volcano in the east of the island."),
        (ASKED, "The tallest mountain on the island of Java is Semeru."),
        (ASKED, "What is the tallest mountain on Java?"),
        (ASKED, ""),
        ("Good morning to you!", "Good morning to you!"),
        ("Correct this: She has been living here since 2010.", "She has been living here since 2010."),
        ("She has been living here in this town since the spring of 2010 with her dog.\n\nCorrect?",
         "She has been living here in this town since the spring of 2010 with her dog."),
        ("Say it after me: the rain in Spain stays mainly in the plain", "The rain in Spain stays mainly in the plain."),
        ("Is the sky over the sea blue?", "The sky over the sea is blue."),
        ("", "A text."),
        ("???", "?!"),
    ],
)  # fmt: skip
def test_what_answers_is_kept(question: str, answer: str) -> None:
    assert judged(question, answer).keep


def test_the_system_message_and_earlier_questions_count() -> None:
    system = "You are a friendly guide to the mountains of Java."
    assert Echo().judge([chat("Hi", system, system=system)])[0].reason == "echoes_prompt"
    assert Echo().judge([chat(ASKED, ASKED, "No, tell me!", "Semeru.")])[0].reason == "echoes_prompt"
    assert Echo().judge([chat("Hi", "Hello.", ASKED, ASKED)])[0].reason == "echoes_prompt"


def test_bounds() -> None:
    assert judged("How are you today?", "How are you today?").keep
    assert judged("How are you today?", "How are you today?", min_words=4).reason == "echoes_prompt"
    broken = "What is the tallest mountain on"
    assert judged(ASKED, broken).keep
    assert judged(ASKED, broken, min_share=0.6).score == 0.6


@pytest.mark.parametrize(
    "answer",
    [
        "Semeru.<|im_end|>\n<|im_start|>user\nAnd on Bali?",
        "Semeru. [INST] And on Bali? [/INST]",
        "Semeru.\n\n### Instruction:\nName another.",
        "Semeru.<end_of_turn>",
    ],
)
def test_marks_of_a_template(answer: str) -> None:
    assert judged(ASKED, answer).reason == "leaks_template"
    assert judged("What does ### Instruction:\n or <|im_end|> mean?\n### Instruction:\n", answer).keep
    assert Echo().judge([text(answer)])[0].reason == "leaks_template"


@pytest.mark.parametrize(
    "answer",
    ["`<|im_end|>` ends a turn.", "```\n<|im_start|>user\n```", "a <| b |> c", "### Instructions\nStir.", "[1] INST"],
)
def test_marks_that_are_code_or_none(answer: str) -> None:
    assert judged(ASKED, answer).keep


def test_of_a_preference_the_chosen_answer_is_read() -> None:
    rows = [pair(ASKED, ASKED, "Semeru."), pair(ASKED, "Semeru.", ASKED)]
    assert [verdict.keep for verdict in Echo().judge(rows)] == [False, True]
