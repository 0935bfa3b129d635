"""Demands that are read in questions, and answers that break them or do not."""

from __future__ import annotations

import pytest

from distill.filter.text.demands import demands
from distill.filter.text.format import Format
from distill.filter.text.shape import is_json, items, paragraphs, sentences, word_counts
from tests.filter.make import chat, pair, text


def reason(question: str, answer: str) -> str:
    return Format().judge([chat(question, answer)])[0].reason


LONG = "word " * 51
THREE = "One thing is here. Another thing is there. The last thing is gone."


@pytest.mark.parametrize(
    ("question", "right", "wrong", "found"),
    [
        ("Answer in at most 50 words: what is gravity?", "word " * 50, LONG, "wrong_words"),
        ("Explain gravity in 50 words or fewer.", "word " * 50, LONG, "wrong_words"),
        ("Explain gravity. Keep your answer under 51 words.", "word " * 50, LONG, "wrong_words"),
        ("Your response should contain at least 50 words.", "word " * 50, "word " * 49, "wrong_words"),
        ("Is water wet? Answer with one word.", "Yes.", "Yes it is.", "wrong_words"),
        ("In one sentence, explain gravity.", "Things fall.", THREE, "wrong_sentences"),
        ("Explain gravity in a single sentence.", "Things fall, e.g. apples.", THREE, "wrong_sentences"),
        ("Describe a mill in exactly three sentences.", THREE, "It is old. It is gone.", "wrong_sentences"),
        ("Describe a mill in exactly two sentences.", "It is old. It is gone.", THREE, "wrong_sentences"),
        ("Write exactly two paragraphs about it.", f"{LONG}\n\n{LONG}", f"{LONG}\n\n{LONG}\n\n{LONG}", "wrong_paragraphs"),
        ("Summarize it in exactly three bullet points.", "- a\n- b\n- c", "- a\n- b", "wrong_items"),
        ("Summarize it in exactly three bullet points.", "* a\n  * x\n* b\n* c", "All of it.", "wrong_items"),
        ("List 4 colors.", "1. red\n2. blue\n3. green\n4. pink", "1. red\n2. blue\n3. green", "wrong_items"),
        ("Please give me three ideas for lunch", "Eggs, rice and soup.", "- eggs\n- rice", "wrong_items"),
        ("Who is she? Answer in JSON.", '{"name": "Anna"}', "She is Anna.", "not_json"),
        ("Who is she? Return the answer as a JSON array.", '```json\n["Anna"]\n```', "[Anna]", "not_json"),
        ("Write a poem without using commas.", "Roses are red", "Roses, red ones", "has_commas"),
        ("Who is she? No commas.", "Anna `a,b`", "Anna, my sister", "has_commas"),
        ("Who is she? Answer in all lowercase.", "she is anna.", "She is Anna.", "wrong_case"),
        ("Your response should be in all capital letters.", "SHE IS ANNA.", "She is Anna.", "wrong_case"),
        ('Who is she? Start your answer with "Well, now".', "**Well now**, she is Anna.", "She is Anna.", "wrong_start"),
        ("End your response with the phrase “Any questions?”", "So it is. Any questions?", "So it is.", "wrong_end"),
    ],
)  # fmt: skip
def test_demands(question: str, right: str, wrong: str, found: str) -> None:
    assert reason(question, right) == ""
    assert reason(question, wrong) == found


@pytest.mark.parametrize(
    "question",
    [
        "How do I respond in JSON from a web server?",
        "Write a Python function. Return the result as JSON.",
        "Output scan results in JSON format",
        "How do I use 'affect' and 'effect' in one sentence?",
        "Find the words which appear in at least 3 sentences.",
        "What does it mean to begin an answer with \"no\"?",
        "Write a function that accepts at least 3 words.",
        "List five benefits of exercise and three drawbacks.",
        "List 3 to 5 colors.",
        "List one color.",
        "Give me 50 words about cats.",
        "Use one sentence each for cats and dogs.",
        'Translate: "Answer in one word."',
        "`Answer in one word.` What does this prompt do?",
        "Beantworte in höchstens 50 Wörtern.",
        "Answer in at most 3 sentences per question.",
        "",
    ],
)  # fmt: skip
def test_what_is_no_demand_on_the_answer(question: str) -> None:
    assert list(demands(question)) == []


def test_the_middle_of_a_long_question_is_not_read() -> None:
    passage = "He came in and sat down. " * 40 + "Answer in one word. " + "She looked at him and laughed. " * 40
    assert list(demands(passage)) == []
    assert [demand.said for demand in demands(passage + "What did she do? Answer in one word.")] == [
        "Answer in one word"
    ]


def test_the_evidence_names_the_demand_and_what_was_counted() -> None:
    verdict = Format().judge([chat("Answer in at most 3 words.", "one two three four")])[0]
    assert verdict.score == 4
    assert verdict.evidence == "'Answer in at most 3 words': 4 words: one two three four"


def test_every_answer_of_a_conversation_and_of_a_preference_the_chosen_one() -> None:
    ask = "Answer in one word."
    assert not Format().judge([chat(ask, "No, not now.", "q", "a")])[0].keep
    assert [
        verdict.keep for verdict in Format().judge([pair(ask, "No.", "Not now."), pair(ask, "Not now.", "No.")])
    ] == [
        True,
        False,
    ]
    assert Format().judge([text("Answer in one word. Not now.")])[0].keep


def test_counts_that_can_be_argued_about() -> None:
    assert word_counts("an e-mail `x y`") == (2, 5)
    assert word_counts("") == (0, 0)
    assert sentences("Dr. Smith lives in the U.S. with Mr. Jones.") == (1, 5)
    assert sentences("") == (0, 0)
    assert sentences("The first one is short. The second one follows") == (2, 2)
    assert paragraphs("One.\n\nTwo.") == (0, 2)


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ("no list", None),
        ("- one only", None),
        ("1. a\n2. b\n   - x\n   - y\n3. c", 3),
        ("1. a\n2. b\n\n1. c\n2. d", None),
        ("2. b\n3. c", None),
        ("Intro:\n- a\n- b\n\n- c\n", 3),
        ("- a\n- b\n\nAnd also:\n\n- c\n- d", None),
        ("```\n- a\n- b\n```", None),
        ("• a\n• b", 2),
    ],
)
def test_items(answer: str, count: int | None) -> None:
    assert items(answer) == count


@pytest.mark.parametrize(
    ("answer", "is_it"),
    [
        ('{"a": 1}', True),
        ("Here: [1, 2] as asked.", True),
        ("```json\n{}\n```", True),
        ("null", True),
        ("{'a': 1}", False),
        ("[1, 2", False),
        ("plain", False),
        ("", False),
        ("[" * 100_000 + "]" * 100_000, True),
        ("[" * 100_000, True),
    ],
)
def test_json(answer: str, is_it: bool) -> None:
    assert is_json(answer) is is_it
