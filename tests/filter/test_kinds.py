"""What every filter says of rows that are no chats: texts, preferences, benchmark items."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.filter.bindings import Bindings
from distill.filter.chain import AnyFilter, Chain
from distill.filter.contamination.contamination import Contamination
from distill.filter.duplicates.near import ExactDuplicate, NearDuplicate
from distill.filter.text.echo import Echo
from distill.filter.text.encoding import Encoding
from distill.filter.text.finished import Finished
from distill.filter.text.format import Format
from distill.filter.text.language import Language
from distill.filter.text.length import Length
from distill.filter.text.refusal import Refusal
from distill.filter.text.repetition import Repetition
from distill.rows import Row
from tests.filter.make import chat, item, pair, text, word_tokenizer

STORY = "The old mill stands by the river, and nobody has ground corn there since the great flood of that year."
ROUND = "and so it goes on and on " * 12
REFUSED = "I'm sorry, but I cannot help with that."


def reasons(spec: AnyFilter, *rows: Row, evaluated: tuple[Row, ...] = (), tokenizer: Path | None = None) -> list[str]:
    judged = Chain([spec], Bindings(tokenizer, evaluated)).together(rows)
    return [result.verdict.reason for result in judged]


def test_finished() -> None:
    rows = [text(STORY), text(STORY, finish="length"), text("  "), pair("q", "a", "b"), item("q", "a")]
    assert reasons(Finished(), *rows) == ["", "truncated", "empty", "", ""]
    assert reasons(Finished(), pair("q", "a", " "), pair("q", " ", "b"), pair("q", "a", "<think>hm")) == [
        "empty",
        "empty",
        "unclosed_thinking",
    ]


def test_length(tmp_path: Path) -> None:
    spec = Length(min_tokens=2, max_tokens=3)
    rows = [text("one"), text("one two"), pair("q", "one two", "one two three four"), pair("q", "one", "one two")]
    rows += [pair("q", "one two", "one two three"), item("a long question here", "one two")]
    found = reasons(spec, *rows, tokenizer=word_tokenizer(tmp_path))
    assert found == ["too_short", "", "too_long", "too_short", "", ""]


def test_repetition() -> None:
    rows = [text(ROUND), text(STORY), pair("q", ROUND, STORY), pair("q", STORY, ROUND), item("q", ROUND)]
    assert [bool(reason) for reason in reasons(Repetition(), *rows)] == [True, False, True, False, True]


def test_refusal() -> None:
    rows = [text(REFUSED), text(STORY), pair("q", REFUSED, STORY), pair("q", STORY, REFUSED), item("q", REFUSED)]
    assert reasons(Refusal(), *rows) == ["refused", "", "refused", "", "refused"]


def test_echo() -> None:
    rows = [text(STORY), pair(STORY, STORY, "a"), pair(STORY, "a", STORY), item(STORY, STORY)]
    assert reasons(Echo(), *rows) == ["", "echoes_prompt", "", "echoes_prompt"]


def test_encoding() -> None:
    rows = [text("a\ufffdb"), pair("q", "a\ufffdb", "a"), pair("q", "a", "a\ufffdb"), item("a\ufffdb", "a")]
    assert reasons(Encoding(), *rows) == ["replacement_character"] * 4


def test_language() -> None:
    spec = Language(allow=("de",))
    rows = [text(STORY), pair("q", STORY, "a"), pair("q", "a", STORY), item(STORY, "a"), item("q", STORY)]
    assert reasons(spec, *rows) == ["foreign", "foreign", "foreign", "", "foreign"]


def test_format() -> None:
    ask = "Where is it? Answer in one word."
    rows = [text(f"{ask} {STORY}"), pair(ask, STORY, "There."), pair(ask, "There.", STORY), item(ask, STORY)]
    assert reasons(Format(), *rows) == ["", "wrong_words", "", "wrong_words"]


@pytest.mark.parametrize("on", ["pair", "question", "answer"])
def test_duplicate_texts_whatever_is_compared(on: str) -> None:
    exact, near = ExactDuplicate.model_validate({"on": on}), NearDuplicate.model_validate({"on": on})
    other = "Another text about something else altogether, which no one would take for the first one at all."
    assert reasons(exact, text(STORY), text(other), text(STORY.upper())) == ["", "", "same_text"]
    assert reasons(near, text(STORY), text(other), text(STORY + " So it was.")) == ["", "", "near_text"]


@pytest.mark.parametrize("spec", [ExactDuplicate(), NearDuplicate(), NearDuplicate(on="answer")])
def test_rows_of_different_kinds_are_no_duplicates(spec: AnyFilter) -> None:
    assert reasons(spec, chat("q", STORY), text(STORY), item("q", STORY)) == ["", "", ""]


def test_duplicate_preferences_are_alike_in_both_answers() -> None:
    other = "A wheel turns slowly in the dark water, as it has done since before anybody can remember it."
    third = "Nothing at all is to be seen from here but the fields, the road and a few poplars beside the road."
    rows = [pair("q", STORY, other), pair("q", STORY, third), pair("q", STORY, other)]
    assert reasons(ExactDuplicate(), *rows) == ["", "", "same_pair"]
    assert reasons(NearDuplicate(), *rows) == ["", "", "near_pair"]
    assert reasons(ExactDuplicate(on="answer"), *rows) == ["", "same_answer", "same_answer"]


def test_an_evaluated_answer_is_looked_for_in_texts_and_rejected_answers() -> None:
    evaluated = (chat("Where is the mill?", STORY),)
    assert reasons(
        Contamination(), text(STORY), text(f"Once more: {STORY}"), pair("q", "Yes.", STORY), evaluated=evaluated
    ) == ["answer_seen", "overlap", "answer_seen"]
    assert reasons(Contamination(), pair("Where is the mill", "a", "b"), evaluated=evaluated) == ["question_seen"]


def test_a_held_out_text_is_looked_for_whatever_its_length() -> None:
    evaluated = (text(STORY, real=True), text("Short one.", real=True))
    rows = [text(STORY), text("short ONE"), chat("Tell me.", f"Well. {STORY}"), text("Another short one.")]
    assert reasons(Contamination(), *rows, evaluated=evaluated) == ["text_seen", "text_seen", "overlap", ""]


def test_what_a_benchmark_keeps_for_its_check_is_evaluated_on_and_a_title_is_not() -> None:
    evaluated = (item("Where is the mill?", "By the river.", passage=STORY, reference="by the river"),)
    assert reasons(Contamination(), chat("Tell me.", STORY), text(STORY), evaluated=evaluated) == ["answer_seen"] * 2
    assert reasons(Contamination(), chat("where is the mill", "No."), evaluated=evaluated) == ["question_seen"]
    titled = text(STORY, real=True).model_copy(
        update={"evidence": {"title": "A short history of mills on the lower river"}}
    )
    said = chat("What do you read?", "A short history of mills on the lower river.")
    assert reasons(Contamination(), said, evaluated=(titled,)) == [""]
