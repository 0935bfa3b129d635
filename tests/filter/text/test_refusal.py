"""Refusals, and answers that only sound like one."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from distill.filter.text.refusal import Refusal
from distill.protocols import Verdict
from distill.refusals import REFUSED_HAS, SELF_TALK_HAS, own_words
from tests.filter.make import chat


def judged(answer: str, question: str = "q", **fields: object) -> Verdict:
    return Refusal(**fields).judge([chat(question, answer)])[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't assist with that request.",
        "I’m sorry, I can’t help with that.",
        "Sorry, I can't do that.",
        "I cannot provide medical advice.",
        "I won't help with that.",
        "I'm unable to assist with this request.",
        "I apologize for the confusion, but I cannot fulfill this request.",
        "I'm really sorry that you're feeling this way, but I'm unable to provide the help that you need.",
        "Unfortunately, I am unable to browse the internet.",
        "Hello! I'm sorry, but I cannot discuss that.",
        "I understand you are upset. I'm sorry, but I can't help you with that.",
        "I must respectfully decline to answer.",
        "It is not appropriate for me to provide that.",
        "Lo siento, pero no puedo ayudarte con eso.",
        "Es tut mir leid, aber ich kann dabei nicht helfen.",
        "Désolé, je ne peux pas répondre.",
        "很抱歉，我无法回答这个问题。",
        "申し訳ありませんが、お答えできません。",
    ],
)
def test_refused(answer: str) -> None:
    verdict = judged(answer)
    assert verdict.reason == "refused"
    assert verdict.score is not None and verdict.evidence


@pytest.mark.parametrize(
    "answer",
    [
        "As an AI language model, I do not have feelings.",
        "As an AI, I have no body.",
        "I'm just an AI assistant, so I don't have a birthday.",
        "I am an AI language model created to help, and I do not sleep.",
        "I don't have personal opinions.",
        "I don't have access to real-time information.",
    ],
)
def test_as_a_model(answer: str) -> None:
    assert judged(answer).reason == "as_a_model"
    assert judged(answer, self_talk=False).keep


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry to hear that! Have you tried restarting?",
        "I'm sorry, I can't hear you over the music.",
        "I can't believe it's not butter.",
        "I can't help but laugh at this.",
        "I can't help falling in love with you.",
        "I cannot recommend this book enough.",
        "Dear Sam, I'm sorry but I can't attend the party on Friday.",
        "Unfortunately, the train was late.",
        "I am unable to sleep at night, so I read.",
        "You can't share it without permission.",
        "As an AI researcher, I work on models.",
        "I'm an AI built to help you. What do you need?",
        "I am a language model. I can speak English and Spanish.",
        "I'm glad to have you as a helpful AI.",
        "Es tut mir leid, das zu hören.",
        "Lo siento, no puedo escucharte por el sonido de lo increíble que soy.",
        "A long and useful answer comes first. " * 8 + "I'm sorry, but I can't help with that.",
        "",
    ],
)
def test_what_only_sounds_like_a_refusal_is_kept(answer: str) -> None:
    assert judged(answer).keep


@pytest.mark.parametrize(
    "answer",
    [
        "\"I'm sorry, but I can't help with that\" is a refusal.",
        "The model said: `I cannot provide that`.",
        "“I can’t assist with that” is how it begins.",
        "> I can't provide this\nThe quote shows a refusal.",
        "```\nprint('I cannot provide that')\n```",
        "「我无法」 is Chinese.",
    ],
)
def test_quoted_words_are_not_the_answers_own(answer: str) -> None:
    assert judged(answer).keep


def test_words_of_the_question_are_not_the_answers_own() -> None:
    answer = "I'm sorry, but I can't help with that."
    assert judged(answer, "Correct this: Im sorry, but ... or rather: I'm sorry, but I can't help with that").keep
    assert judged(answer, "Correct this: I am hungry").reason == "refused"


def test_patterns_are_added_or_replaced() -> None:
    assert judged("Computer says no.", more_patterns=(r"^computer says no",)).reason == "refused"
    assert judged("I cannot provide that.", more_patterns=(r"^computer says no",)).reason == "refused"
    assert judged("I cannot provide that.", patterns=(r"^computer says no",)).keep
    assert judged("Well. I cannot provide that.", opening=5).keep


def test_a_pattern_that_does_not_compile_is_refused() -> None:
    with pytest.raises(ValidationError, match="is not a regular expression"):
        Refusal(more_patterns=("(",))


def test_every_answer_of_a_conversation_is_read_with_its_own_question() -> None:
    refused = "I'm sorry, but I can't help with that."
    assert Refusal().judge([chat("q", refused, "r", "Fine.")])[0].reason == "refused"
    assert Refusal().judge([chat(f"Correct: {refused}", refused, "r", "Fine.")])[0].keep


def test_what_an_answer_must_have_is_in_every_refusal_known() -> None:
    """The first look, before patterns are searched for, misses none that they would find."""
    for known in (test_refused, test_as_a_model):
        for answer in known.pytestmark[0].args[1]:  # type: ignore[attr-defined]
            assert any(part in own_words(answer) for part in (*REFUSED_HAS, *SELF_TALK_HAS))
