"""Rows that come again, and rows that only look alike."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from distill.errors import SourceError
from distill.filter import chain
from distill.filter.bindings import Bindings
from distill.filter.chain import Chain
from distill.filter.duplicates.keeper import Best
from distill.filter.duplicates.near import ExactDuplicate, NearDuplicate
from distill.filter.text.finished import Finished
from distill.protocols import Verdict
from distill.rows import Row
from tests.filter.make import chat, pair, text


def reasons(spec: ExactDuplicate | NearDuplicate, rows: list[Row], batch: int = 1024) -> list[str]:
    return [verdict.reason for verdict in verdicts(spec, rows, batch)]


def verdicts(spec: ExactDuplicate | NearDuplicate, rows: list[Row], batch: int = 1024) -> list[Verdict]:
    bound = spec.bind(Bindings())
    if isinstance(bound, Best):
        for start in range(0, len(rows), batch):
            bound.survey(rows[start : start + batch])
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


TOOLS = json.dumps(
    [
        {
            "name": name,
            "description": f"{does}. Use it only when the user asks for it, and never call it twice for one request.",
            "parameters": {
                "type": "object",
                "properties": {
                    key: {"type": "string", "description": f"The {key} as the user says it"} for key in keys
                },
                "required": list(keys),
            },
        }
        for name, does, keys in [
            ("get_weather", "Returns the weather of a place on a day", ("city", "day", "unit")),
            ("book_table", "Books a table in a restaurant", ("restaurant", "time", "guests")),
            ("convert_money", "Converts an amount from one currency to another", ("amount", "source", "target")),
        ]
    ]
)


THOUGHT = (
    "<think>The user asks for something that one of my functions can do. I look at the names of the functions, at what "
    "each of them does and at which parameters it requires. All required parameters are in the request, so that I need "
    "not ask for more, and none of them may be left out or made up. I answer with the call alone, as one JSON object "
    "with the name of the function and its arguments, and say nothing before it or after it.</think>"
)


def function_calls(n: int) -> list[Row]:
    """What many function-calling sets look like: all tools before each request, and little of the request's own."""
    rng = random.Random(6)
    rows = []
    for number in range(n):
        city, day, unit = f"Town{number}", rng.choice(["Monday", "Friday"]), rng.choice(["celsius", "kelvin"])
        asked = f"You have access to these functions: {TOOLS} User: weather in {city} on {day} in {unit}, please."
        call = {"name": "get_weather", "arguments": {"city": city, "day": day, "unit": unit}}
        answer = f"{THOUGHT} {json.dumps(call)}"
        rows.append(chat(asked, answer))
    return rows


def test_distinct_calls_survive_though_most_of_their_text_is_the_same() -> None:
    rows = function_calls(3000)
    # Each pair of them is near as it stands.
    assert reasons(NearDuplicate(template=1), rows[:500]).count("near_pair") > 400
    found = verdicts(NearDuplicate(), rows)
    # As they come, those before the template is known are lost: fewer than sixteen of any number.
    assert sum(not verdict.keep for verdict in found[:16]) <= 15
    assert all(verdict.keep for verdict in found[16:])
    # With all rows seen first, none is lost.
    assert set(reasons(BEST, [row.scored(judge=1) for row in rows])) == {""}


def test_copies_of_calls_are_found_among_them() -> None:
    rows = function_calls(600)
    found = verdicts(NearDuplicate(), rows + rows[300:400])[600:]
    assert [(v.reason, v.score, v.evidence) for v in found] == [("near_pair", 1.0, row.id) for row in rows[300:400]]


def test_template_is_that_of_the_rows_before_whatever_the_batches() -> None:
    rows = function_calls(100) + [chat(f"What is {n} and {n}?", STORY[n:]) for n in range(60)] + function_calls(200)
    expected = verdicts(NearDuplicate(), rows)
    for batch in (7, 64):
        assert verdicts(NearDuplicate(), rows, batch) == expected
    for cut in (15, 16, 17, 130):
        assert verdicts(NearDuplicate(), rows[:cut]) == expected[:cut]


BEST = NearDuplicate(keeper="best", by="judge")


def pooled(spec: NearDuplicate, rows: list[Row]) -> list[Verdict]:
    return [result.verdict for result in Chain([spec], Bindings()).together(rows)]


def test_the_best_of_several_is_kept_and_named() -> None:
    rows = [chat("Tell a story", STORY + end).scored(judge=score) for end, score in [("", 3), (" x", 5), (" y", 4)]]
    rows += [chat("Tell a story", STORY + " z"), chat("Another one", STORY)]
    found = pooled(BEST, rows)
    assert [verdict.reason for verdict in found] == ["near_pair", "", "near_pair", "near_pair", ""]
    assert {verdict.evidence for verdict in found if not verdict.keep} == {rows[1].id}
    assert [verdict.keep for verdict in pooled(NearDuplicate(), rows)] == [True, False, False, False, True]


def test_equal_scores_are_decided_by_id() -> None:
    rows = [chat("Tell a story", STORY + end).scored(judge=1) for end in ("", " x", " y")]
    first = min(rows, key=lambda row: row.id)
    assert [row for row, verdict in zip(rows, pooled(BEST, rows), strict=True) if verdict.keep] == [first]


def test_best_and_its_score_go_together() -> None:
    for wrong in ({"keeper": "best"}, {"by": "judge"}):
        with pytest.raises(ValidationError, match="go together"):
            NearDuplicate.model_validate(wrong)
    assert (NearDuplicate().scope, BEST.scope) == ("set", "pool")
    with pytest.raises(SourceError, match="no row has a score 'judge'"):
        pooled(BEST, [chat("a", "b")])
    assert pooled(BEST, []) == []


def test_that_no_row_has_the_score_is_found_when_the_first_batch_is_wholly_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chain, "BATCH_ROWS", 1)
    rows = [chat("a", "b", finish="length"), chat("c", "d")]
    with pytest.raises(SourceError, match="no row has a score 'judge'"):
        list(Chain([Finished(), BEST], Bindings()).judge(rows))
    judged = Chain([Finished(), BEST], Bindings()).judge([rows[0], rows[1].scored(judge=1)])
    assert [result.verdict.keep for result in judged] == [False, True]


def test_a_score_that_is_no_number_is_none() -> None:
    nan, good = chat("Tell a story", STORY), chat("Tell a story", STORY + " x").scored(judge=-2)
    # As nothing that validates would make it.
    nan = nan.model_copy(update={"scores": {"judge": float("nan")}})
    for rows in ([nan, good], [good, nan]):
        assert [row.id for row, verdict in zip(rows, pooled(BEST, rows), strict=True) if verdict.keep] == [good.id]
    with pytest.raises(SourceError, match="no row has a score 'judge'"):
        pooled(BEST, [nan])


WORDS = st.lists(st.sampled_from("abc"), min_size=1, max_size=14).map(" ".join)
SCORES = st.one_of(st.none(), st.integers(0, 2))


@st.composite
def scored_rows(draw: st.DrawFn) -> list[Row]:
    rows = draw(st.lists(st.one_of(st.builds(chat, WORDS, WORDS), st.builds(text, WORDS)), min_size=1, max_size=30))
    scores = [draw(SCORES) for _ in rows]
    # A row's id says nothing of its score: two of one id would be one row with two scores.
    known: dict[str, float | None] = {}
    return [
        row if (score := known.setdefault(row.id, value)) is None else row.scored(judge=score)
        for row, value in zip(rows, scores, strict=True)
    ]


@given(scored_rows(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_best_are_the_same_in_any_order(rows: list[Row], rng: random.Random) -> None:
    rows = [rows[0].scored(judge=1), *rows[1:]]
    rows = [row for row in rows[1:] if row.id != rows[0].id] + rows[:1]
    other = rng.sample(rows, len(rows))
    for spec in (NearDuplicate(threshold=0.5, keeper="best", by="judge"), BEST):
        kept = [
            sorted(row.id for row, verdict in zip(order, pooled(spec, order), strict=True) if verdict.keep)
            for order in (rows, other)
        ]
        assert kept[0] == kept[1]


@given(scored_rows(), st.integers(1, 9))
@settings(deadline=None)
def test_every_dropped_row_names_a_keeper_it_is_near_to(rows: list[Row], batch: int) -> None:
    spec = NearDuplicate(threshold=0.6)
    found = verdicts(spec, rows, batch)
    assert len(found) == len(rows)
    kept = [row for row, verdict in zip(rows, found, strict=True) if verdict.keep]
    assert {verdict.evidence for verdict in found if not verdict.keep} <= {row.id for row in kept}
    assert all(verdict.score is not None and verdict.score >= 0.6 for verdict in found if not verdict.keep)
    # Keepers are near to none of each other, as far as the bands find it: the same words are always found.
    assert len({(row.kind, row.question, row.answer) for row in kept}) == len(kept)


def test_like_a_keeper_is_not_like_what_it_is_like() -> None:
    a, b, c = (" ".join([*[f"x{i}" for i in range(n)], *[f"w{i}" for i in range(n, 60)]]) for n in (0, 4, 8))
    rows = [text(a), text(b), text(c)]
    # a is near b, and b near c, but not a near c.
    assert reasons(NearDuplicate(), rows) == ["", "near_text", ""]
    assert reasons(NearDuplicate(), [rows[1], rows[0], rows[2]]) == ["", "near_text", "near_text"]


def test_kinds_are_kept_apart() -> None:
    rows = [text(STORY), chat(STORY, STORY), pair(STORY, STORY, "No."), text(STORY), pair(STORY, STORY, "No.")]
    assert reasons(NearDuplicate(), rows) == ["", "", "", "near_text", "near_pair"]
    assert reasons(BEST, [row.scored(judge=1) for row in rows]) == ["", "", "", "near_text", "near_pair"]


def test_a_monstrous_answer_and_half_a_character() -> None:
    monster = "word " * 2_000_000
    rows = [
        chat("Go on", monster),
        chat("Go on", monster),
        chat("\ud800", "\udfff \ud800"),
        chat("\ud800", "\udfff \ud800"),
    ]
    assert reasons(NearDuplicate(), rows) == ["", "near_pair", "", "near_pair"]
    assert reasons(ExactDuplicate(), rows) == ["", "same_pair", "", "same_pair"]
