"""Finished and length."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from distill.errors import RecipeError
from distill.filter.bindings import Bindings
from distill.filter.finished import Finished
from distill.filter.text import Length
from distill.protocols import Verdict
from distill.rows import Row
from tests.filter.make import chat, word_tokenizer


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


def length(tmp_path: Path, answer: str, **bounds: int | None) -> Verdict:
    return Length(**bounds).bind(Bindings(word_tokenizer(tmp_path))).judge([chat("a b c d e f g", answer)])[0]


def test_tokens_of_the_answer_are_counted_and_the_bounds_are_within(tmp_path: Path) -> None:
    assert length(tmp_path, "one two three", min_tokens=3, max_tokens=3).keep
    short = length(tmp_path, "one two three", min_tokens=4)
    assert (short.keep, short.reason, short.score) == (False, "too_short", 3)
    long = length(tmp_path, "one two three", max_tokens=2)
    assert (long.keep, long.reason, long.score) == (False, "too_long", 3)
    assert long.evidence == "3 tokens, at most 2: one two three"


def test_the_students_own_tokenizer_counts(tmp_path: Path) -> None:
    assert length(tmp_path, "one-two-three", min_tokens=2).score == 1


def test_a_tokenizer_file_that_truncates_does_not_hide_a_long_answer(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    path = word_tokenizer(tmp_path)
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    tokenizer.save(str(path))
    bound = Length(min_tokens=2, max_tokens=8).bind(Bindings(path))
    assert [v.reason for v in bound.judge([chat("q", "x " * 9), chat("q", "x"), chat("q", "x y")])] == [
        "too_long",
        "too_short",
        "",
    ]


def test_words_and_characters_are_bounded_too(tmp_path: Path) -> None:
    assert length(tmp_path, "one two", max_words=1).reason == "too_long"
    assert length(tmp_path, "one two", min_words=3).evidence == "2 words, at least 3: one two"
    assert length(tmp_path, "one two", max_chars=6).score == 7
    assert length(tmp_path, "one two", min_chars=8).reason == "too_short"
    assert length(tmp_path, "今天天气很好", min_words=6, max_words=6).keep


def test_an_enormous_answer_is_not_read_to_its_end(tmp_path: Path) -> None:
    verdict = length(tmp_path, "word " * 200_000, max_tokens=100)
    assert verdict.reason == "too_long" and verdict.score is not None and 100 < verdict.score <= 3200


def test_long_tokens_are_read_to_the_end_before_they_are_judged(tmp_path: Path) -> None:
    assert length(tmp_path, "x" * 5000 + " y", max_tokens=2).keep
    assert length(tmp_path, "x" * 5000 + " y z", max_tokens=2).score == 3


def test_without_a_student_tokens_cannot_be_counted() -> None:
    with pytest.raises(RecipeError, match="counts tokens"):
        Length().bind(Bindings())
    bound = Length(min_tokens=None, max_tokens=None, max_chars=3).bind(Bindings())
    assert bound.judge([chat("q", "1234")])[0].reason == "too_long"


def test_bounds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="min_words is 9, above max_words, which is 3"):
        Length(min_words=9, max_words=3)
