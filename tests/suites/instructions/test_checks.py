"""Every instruction: an answer that follows it and one that does not."""

from __future__ import annotations

import time
from typing import Any

import pytest

from distill.suites.instructions.checks import CHECKS, check, loosely
from distill.suites.instructions.counts import sentences

LEAST, LESS = "at least", "less than"
GERMAN = "Ich heiße Anna und wohne seit einem Jahr in dieser Straße. Das ist mein Hund."
FOUR = 'It rained.\n\n"Suddenly, the sun came out.\n\nWe walked.\n\nThen home.'
CASES: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("length_constraints:number_words", {"num_words": 3, "relation": LESS}, ["Two words."], ["It is three."]),
    ("length_constraints:number_words", {"num_words": 3, "relation": LEAST}, ["It is three."], ["Two words."]),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 2, "relation": LEAST},
        ["One. Two!", "Is it? It is.", "一。二。", "One. And a rest"],
        ["Only one.", "Dr. Smith of St. Ives has 3.5 apples, e.g. red ones."],
    ),
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 2},
        ["One\n***\nTwo", "***\nOne\n***\nTwo\n***"],
        ["One\n\nTwo", "One\n***\n***\nTwo", "One\n***\nTwo\n***\nThree"],
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 4, "nth_paragraph": 2, "first_word": "suddenly"},
        [FOUR],
        [FOUR.replace("Suddenly", "Slowly"), FOUR + "\n\nFive.", "Suddenly"],
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 1, "nth_paragraph": 2, "first_word": "x"},
        [],
        ["x", "x\n\nx"],
    ),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 2},
        ["* one\n* two", "List:\n- one\n  - two", "*one\n*two"],
        ["* one", "* one\n* two\n* three", "**Bold**\n* one", "1. one\n2. two"],
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, ["Dear [name] of [town]"], ["Dear [name]", "a[0"]),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        ["*one* and *two*", "**one** and *two*", "**one** **two**"],
        ["*one*", "2 * 3 and ** **", "*a\nb* *c*"],
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "SECTION", "num_sections": 2},
        ["SECTION 1\nBees.\nSECTION 2\nHoney."],
        ["SECTION 1\nBees.", "Section 1 Section 2", "SECTION one SECTION two"],
    ),
    ("keywords:existence", {"keywords": ["storm", "Keeper"]}, ["The keeper saw storms."], ["A storm."]),
    ("keywords:forbidden_words", {"forbidden_words": ["star", "c++"]}, ["It starts."], ["A Star!", "in C++, say"]),
    ("keywords:frequency", {"keyword": "rain", "frequency": 2, "relation": LEAST}, ["Rain, rainy"], ["rain"]),
    ("keywords:frequency", {"keyword": "rain", "frequency": 2, "relation": LESS}, ["rain"], ["Rain rain"]),
    ("keywords:letter_frequency", {"letter": "Z", "let_frequency": 2, "let_relation": LEAST}, ["Zz"], ["z"]),
    ("keywords:letter_frequency", {"letter": "#", "let_frequency": 2, "let_relation": LESS}, ["# x"], ["## x"]),
    ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": LEAST}, ["STOP IT now"], ["STOP it"]),
    ("change_case:capital_word_frequency", {"capital_frequency": 1, "capital_relation": LESS}, ["stop 3"], ["I stop"]),
    ("change_case:english_capital", {}, ["KEEP OFF THE GRASS, PLEASE."], ["Keep off the grass.", GERMAN.upper(), "123"]),
    ("change_case:english_lowercase", {}, ["snow is on the hill."], ["Snow is on the hill.", GERMAN.lower()]),
    (
        "detectable_format:json_format",
        {},
        ['{"a": [1, null]}', '```json\n{"a": 1}\n```', "```\n[]\n```", "3"],
        ["{'a': 1}", 'Here: {"a": 1}', "NaN", "```json\n{\n```", "[" * 100_000],
    ),
    ("detectable_format:title", {}, ["<<The Bridge>>\nOld stones", "x\n << y >> "], ["The Bridge", "<< >>", "<<\n>>", ">>x<<"]),
    ("detectable_format:constrained_response", {}, ["My answer is yes.", "So: My answer is no."], ["Yes.", "my answer is no"]),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, ["Bye\nP.S. Kisses", "p. s. x"], ["Bye", "ps", "tips. s."]),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, ["Bye\nP.P.S Kisses", "p.p.s. x"], ["P.S. Kisses"]),
    ("detectable_content:postscript", {"postscript_marker": "NB:"}, ["nb: kisses"], ["P.S. kisses"]),
    ("combination:two_responses", {}, ["One\n******\nTwo"], ["One", "One\n******\nOne", "a******b******c", "a****** ******b"]),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Name a river."}, ["name a river. The Nile."], ["The Nile."]),
    ("startend:end_checker", {"end_phrase": "Sleep well."}, ["So it is. sleep well.", '"Sleep well."'], ["Sleep well. Bye"]),
    ("startend:quotation", {}, ['"Run on!"'], ["Run on!", '"', '"Run" on']),
    ("punctuation:no_comma", {}, ["No; none."], ["One, two"]),
    ("language:response_language", {"language": "de"}, [GERMAN], ["This is not what was asked for, is it?"]),
    ("language:response_language", {"language": "sw"}, ["Habari ya asubuhi, jina langu ni Asha na ninaishi Nairobi."], [GERMAN]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "follow", "fail"), CASES, ids=[case[0] for case in CASES])
def test_what_follows_and_what_does_not(
    name: str, arguments: dict[str, Any], follow: list[str], fail: list[str]
) -> None:
    held = check(name, arguments)
    assert [answer for answer in follow if not held(answer)] == []
    assert [answer for answer in fail if held(answer)] == []
    assert not held("") and not held(" \n")


def test_every_instruction_has_a_case() -> None:
    assert {name for name, *_ in CASES} == CHECKS.keys()
    assert len(CHECKS) == 25


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("No end", 1),
        ("One. Two? Three!", 3),
        ("Really?! Yes.", 2),
        ('He said "Stop." Then he left.', 2),
        ("It costs 3.50 in all.", 1),
        ("Mr. and Mrs. Hill live at No. 5.", 1),
        ("Salt, pepper, etc.", 1),
        ("Wait... what?", 2),
        ("...", 0),
        ("你好。再见！", 2),
        ("A list:\n- one\n- two", 1),
        ("1. First.\n2. Second.", 2),
        ("J. Smith has 3. Ann has 4.", 2),
        ('It is (so-called) "free". Yes.', 2),
        ("So (yes!). Is it?", 2),
        ("End.)x. More", 2),
    ],
)
def test_sentences_are_counted(text: str, count: int) -> None:
    assert sentences(text) == count


@pytest.mark.parametrize(
    ("name", "arguments", "unit", "before", "after"),
    [
        ("length_constraints:number_sentences", {"num_sentences": 2, "relation": LEAST}, "!", "", "x"),
        ("length_constraints:number_sentences", {"num_sentences": 2, "relation": LEAST}, '".', "", "x"),
        ("length_constraints:number_sentences", {"num_sentences": 2, "relation": LEAST}, "A. ", "", ""),
        ("detectable_format:json_format", {}, " ", "```", "x"),
    ],
)
def test_signs_repeated_without_end_take_linear_time(
    name: str, arguments: dict[str, Any], unit: str, before: str, after: str
) -> None:
    text = before + unit * 100_000 + after
    start = time.process_time()
    check(name, arguments)(text)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "takes num_words, relation, not none"),
        ({"num_words": 3}, "takes num_words, relation, not num_words"),
        ({"num_words": 3, "relation": LESS, "keyword": "x"}, "not num_words, relation, keyword"),
        ({"num_words": "many", "relation": LESS}, r"valid integer.*'many'"),
        ({"num_words": 3, "relation": "at most"}, "'less than' or 'at least'"),
    ],
)
def test_arguments_that_do_not_fit_are_told(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check("length_constraints:number_words", arguments)


def test_arguments_as_a_table_without_types_has_them() -> None:
    held = check("length_constraints:number_words", {"num_words": 3.0, "relation": LESS, "keywords": None})
    assert held("Two words.") and not held("It is three.")


def test_loosely_is_without_a_line_that_leads_or_takes_leave() -> None:
    found = list(loosely("Sure!\n**Two** words\nBye."))
    assert found[0] == "Sure!\n**Two** words\nBye."
    assert {"Two words", "Two words\nBye.", "Sure!\nTwo words", "**Two** words"} <= set(found)
    assert len(found) == 8


@pytest.mark.parametrize(
    "answer",
    ["[" * 100_000, "<" * 100_000, "*" * 100_000, "\n" * 99_999 + "x", " " * 99_999 + "x", "a. " * 33_000, "- x\n" * 25_000,
     "p. " * 33_000, "SECTION " * 12_500, "x\n\n" * 33_000, '"' * 100_000, "```" * 33_000, "9" * 100_000],
    ids=lambda text: repr(text[:6]),
)  # fmt: skip
def test_a_hundred_thousand_characters_take_no_time(answer: str) -> None:
    held = [check(name, arguments) for name, arguments, *_ in CASES]
    start = time.process_time()
    for one in held:
        one(answer)
    assert time.process_time() - start < 3
