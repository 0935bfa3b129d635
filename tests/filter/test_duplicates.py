"""Rows that come again, and rows that only look alike."""

from __future__ import annotations

import random

import pytest

from distill.filter.bindings import Bindings
from distill.filter.duplicates import ExactDuplicate, NearDuplicate
from distill.protocols import Verdict
from distill.rows import Row
from tests.filter.make import chat


def reasons(spec: ExactDuplicate | NearDuplicate, rows: list[Row], batch: int = 1024) -> list[str]:
    return [verdict.reason for verdict in verdicts(spec, rows, batch)]


def verdicts(spec: ExactDuplicate | NearDuplicate, rows: list[Row], batch: int = 1024) -> list[Verdict]:
    bound = spec.bind(Bindings())
    return [verdict for start in range(0, len(rows), batch) for verdict in bound.judge(rows[start : start + batch])]


def test_the_first_of_equals_is_kept_and_named() -> None:
    rows = [
        chat("How are you?", "Fine."),
        chat("Bye", "Bye"),
        chat("how  are YOU", "fine"),
        chat("How are you?", "Fine."),
    ]
    found = verdicts(ExactDuplicate(), rows)
    assert [verdict.keep for verdict in found] == [True, True, False, False]
    assert [(v.reason, v.score, v.evidence) for v in found[2:]] == [("same_pair", 1.0, rows[0].id)] * 2


def test_what_is_compared_can_be_chosen() -> None:
    rows = [chat("a", "1"), chat("a", "2"), chat("b", "1"), chat("a", "1", system="Be brief.")]
    assert reasons(ExactDuplicate(), rows) == ["", "", "", "same_pair"]
    assert reasons(ExactDuplicate(on="question"), rows) == ["", "same_question", "", "same_question"]
    assert reasons(ExactDuplicate(on="answer"), rows) == ["", "", "same_answer", "same_answer"]


def test_operators_and_history_make_other_questions() -> None:
    assert reasons(ExactDuplicate(), [chat("2+2", "x"), chat("2-2", "x"), chat("2*2", "x")]) == [""] * 3
    rows = [chat("The sky is blue.", "Yes.", "Why?", "Light."), chat("Grass is green.", "Yes.", "Why?", "Light.")]
    assert reasons(ExactDuplicate(on="question"), rows) == ["", ""]
    assert reasons(NearDuplicate(on="question"), rows) == ["", ""]


def test_texts_do_not_run_together() -> None:
    assert reasons(ExactDuplicate(), [chat("a b", "c"), chat("a", "b c"), chat("a b c", "")]) == [""] * 3


def test_a_filter_begins_with_an_empty_memory() -> None:
    rows = [chat("a", "b")]
    for spec in (ExactDuplicate(), NearDuplicate()):
        assert reasons(spec, rows) == reasons(spec, rows) == [""]


STORY = (
    "Once upon a time there lived in a small house near the wood a miller who had a daughter "
    "and a black cat that could talk to birds but not to people"
)


def test_near_pairs() -> None:
    near, far = STORY.replace("small", "little"), STORY.replace("miller", "king").replace("black", "red")
    question = "Please tell me a story about a miller, his daughter and their cat"
    rows = [
        chat(question, STORY),
        chat(question + "!", near),
        chat(question, far),
    ]
    found = verdicts(NearDuplicate(), rows)
    assert [verdict.reason for verdict in found] == ["", "near_pair", ""]
    assert found[1].evidence == rows[0].id
    assert found[1].score is not None and 0.8 <= found[1].score < 1
    assert reasons(NearDuplicate(threshold=0.9), rows) == ["", "", ""]


def test_one_question_may_have_several_answers() -> None:
    rows = [
        chat("Tell me a joke, please.", f"{word} {STORY[n : n + 60]}") for n, word in enumerate(["A", "The", "One"] * 9)
    ]
    assert reasons(NearDuplicate(), rows)[:3] == ["", "", ""]
    assert reasons(NearDuplicate(on="question"), rows) == [""] + ["near_question"] * 26


def test_question_and_answer_must_be_near_to_the_same_row() -> None:
    rows = [
        chat("one two three four", "a b c d"),
        chat("five six seven eight", "e f g h"),
        chat("one two three four", "e f g h"),
    ]
    assert reasons(NearDuplicate(), rows) == ["", "", ""]
    assert reasons(NearDuplicate(on="answer"), rows) == ["", "", "near_answer"]


def test_short_questions_that_differ_in_one_word_are_two() -> None:
    cities = ["France", "Spain", "Italy", "Japan", "Peru"]
    rows = [chat(f"What is the capital of {city}?", "I do not know.") for city in cities]
    rows += [chat("Hi", "Hello"), chat("Hey", "Hello"), chat("hi!", "Hello")]
    assert reasons(NearDuplicate(), rows) == [""] * 7 + ["near_pair"]
    assert reasons(NearDuplicate(on="question"), rows) == [""] * 7 + ["near_question"]


def test_templated_rows_with_other_arguments_do_not_collapse() -> None:
    rng = random.Random(3)
    rows = []
    for index in range(5000):
        city, day, unit = f"city{index}", f"day{rng.randrange(300)}", rng.choice(["celsius", "kelvin"])
        question = (
            f"You can call the function get_weather with a city, a day and a unit. Call it for what I ask and say "
            f"nothing else. What will the weather be in {city} on {day} in {unit}?"
        )
        call = f'{{"name": "get_weather", "arguments": {{"city": "{city}", "day": "{day}", "unit": "{unit}"}}}}'
        rows.append(chat(question, call))
    assert set(reasons(NearDuplicate(), rows)) == {""}
    again = verdicts(NearDuplicate(), rows + rows[3000:3100])[5000:]
    assert [verdict.evidence for verdict in again] == [row.id for row in rows[3000:3100]]


def test_a_chain_of_likenesses_does_not_reach_its_first_row() -> None:
    words = STORY.split() + STORY.upper().replace("A", "E").split()
    rows = []
    for step in range(len(words)):
        changed = [f"other{i}" if i < step else word for i, word in enumerate(words)]
        rows.append(chat("Tell a story", " ".join(changed)))
    found = verdicts(NearDuplicate(), rows)
    kept = sum(verdict.keep for verdict in found)
    # Each is near to the one before it; by the closure of that only the first would be left.
    assert 5 <= kept < len(rows) / 2
    by_id = {row.id: verdict for row, verdict in zip(rows, found, strict=True)}
    assert all(by_id[verdict.evidence].keep for verdict in found if verdict.evidence)


@pytest.mark.parametrize("batch", [1, 7, 1024])
def test_batches_change_nothing(batch: int) -> None:
    rng = random.Random(5)
    words = [f"w{n}" for n in range(40)]
    rows = [chat(" ".join(rng.choices(words, k=4)), " ".join(words[rng.randrange(6) :])) for _ in range(100)]
    rows += rows[:30]
    for spec in (NearDuplicate(on="answer"), NearDuplicate(), ExactDuplicate()):
        assert verdicts(spec, rows, batch) == verdicts(spec, rows, 250)
        assert {verdict.keep for verdict in verdicts(spec, rows, batch)} == {True, False}


def test_rows_added_at_the_end_change_nothing_before_them() -> None:
    rows = [chat(f"question number {n % 7}", f"answer {n % 5}") for n in range(100)]
    for spec in (NearDuplicate(), ExactDuplicate()):
        assert verdicts(spec, rows)[:60] == verdicts(spec, rows[:60])


def test_many_copies_of_one_row() -> None:
    rows = [chat("How do I make tea?", STORY)] * 10_000
    for spec in (ExactDuplicate(), NearDuplicate()):
        found = verdicts(spec, rows)
        assert found[0].keep and {verdict.evidence for verdict in found[1:]} == {rows[0].id}


def test_rows_without_text_and_in_many_scripts() -> None:
    rows = [
        chat("", ""),
        chat("?", "!"),
        chat("你好吗", "我很好"),
        chat("你好嗎", "我很好"),
        chat("नमस्ते", "😀"),
        chat("", ""),
    ]
    assert reasons(ExactDuplicate(), rows) == ["", "", "", "", "", "same_pair"]
    assert reasons(NearDuplicate(), rows) == ["", "", "", "", "", "near_pair"]
