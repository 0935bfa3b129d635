"""Length in tokens, words and characters."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from distill.errors import RecipeError
from distill.filter.bindings import Bindings
from distill.filter.text.length import Length
from distill.protocols import Verdict
from tests.filter.make import chat, word_tokenizer


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


def test_every_answer_of_a_conversation_is_measured(tmp_path: Path) -> None:
    bound = Length(max_tokens=3).bind(Bindings(word_tokenizer(tmp_path)))
    rows = [chat("q", "one two three four", "r", "one"), chat("q", "one", "r", "one two three"), chat("q")]
    assert [verdict.reason for verdict in bound.judge(rows)] == ["too_long", "", ""]


@pytest.mark.parametrize("answer", ["héllo wörld", "नमस्ते दुनिया", "a", "hello world", "é" * 30, "a\ud800b c"])
def test_what_is_not_counted_at_first_sight_is_within_the_bounds(tmp_path: Path, answer: str) -> None:
    """Whatever the bound, the verdict is the one that counting gives."""
    count = len(answer.split())
    for most in range(1, 200):
        assert length(tmp_path, answer, max_tokens=most).keep is (count <= most)


def test_an_answer_without_letters_is_counted(tmp_path: Path) -> None:
    assert length(tmp_path, " \n ").reason == "too_short"
    assert length(tmp_path, " \n ", min_tokens=0).keep


def test_a_tokenizer_that_lengthens_texts_is_asked_sooner(tmp_path: Path) -> None:
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    bound = Length(max_tokens=40).bind(Bindings(path))
    assert bound.judge([chat("q", "\ufdfa" * 3)])[0].score == 54
