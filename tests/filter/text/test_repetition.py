"""Answers that go round in circles, and those that only seem to."""

from __future__ import annotations

import pytest

from distill.filter.text.repetition import Repetition, longest_run
from distill.protocols import Verdict
from tests.filter.make import chat


def judged(answer: str, **fields: float) -> Verdict:
    return Repetition(**fields).judge([chat("q", answer)])[0]  # type: ignore[arg-type]


def test_a_sentence_said_over_and_over() -> None:
    verdict = judged("I am here to help you with that. " * 5)
    assert (verdict.keep, verdict.reason, verdict.score) == (False, "repeated_words", 0.8)
    assert verdict.evidence == "5 times: i am here to help"


def test_a_loop_in_a_short_answer() -> None:
    assert judged("I love you. " * 6).reason == "repeated_words"


@pytest.mark.parametrize(
    "answer",
    [
        "No, no, no, no!",
        "Ha ha ha ha ha ha ha!",
        "Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, merrily, life is but a dream.",
        "The cat sat on the mat. The dog sat on the mat. The hen sat on the mat too.",
        "| a | b |\n|-----------------------------------------------------|------|\n| 1 | 2 |",
        "=" * 80 + "\nTitle\n" + "=" * 80,
        "┌" + "─" * 90 + "┐",
        "def f(x):\n    if x:\n        return None\n    return x\n",
        "",
    ],
)
def test_what_repeats_itself_rightly_is_kept(answer: str) -> None:
    assert judged(answer).keep


def test_lines_that_come_again_under_other_numbers() -> None:
    verdict = judged("".join(f"{n}. Be kind to others.\n" for n in range(1, 8)))
    assert (verdict.keep, verdict.reason, verdict.evidence) == (False, "repeated_lines", "be kind to others.")
    assert verdict.score == pytest.approx(24 / 28, abs=1e-4)
    assert judged("".join(f"{n}. Be kind to number {n}.\n" for n in range(1, 8))).keep


@pytest.mark.parametrize("answer", ["well " + "a" * 60, "ha" * 30, "😂" * 50, "0101" * 20, "!?" * 30])
def test_character_run(answer: str) -> None:
    verdict = judged(answer)
    assert verdict.reason == "character_run"
    assert verdict.score == len(answer) - 5 * answer.startswith("well")


def test_languages_without_spaces() -> None:
    assert judged("今天的天气真的非常好我们去公园吧" * 4).reason == "repeated_words"
    assert judged("พรุ่งนี้ฉันจะไปโรงเรียนกับเพื่อน" * 4).reason == "repeated_words"
    assert judged("今天天气很好，我们去公园散步。公园里有很多花，也有很多人在散步和聊天。").keep


def test_each_bound_is_looked_at() -> None:
    answer = "the same five words here " * 3
    assert judged(answer).reason == "repeated_words"
    assert judged(answer, max_ngram_share=0.7).keep
    assert judged(answer, min_repeated=11).keep
    assert judged(answer, ngram=11).keep
    assert judged("a" * 30, max_run=29).reason == "character_run"
    lines = "one two three\n" * 6
    assert judged(lines, max_ngram_share=1).reason == "repeated_lines"
    assert judged(lines, max_ngram_share=1, max_line_share=0.9).keep


def test_the_share_is_of_all_words_each_counted_once() -> None:
    verdict = judged("a b c d e f " + "g " + "a b c d e f " * 2, ngram=3)
    assert verdict.score == pytest.approx(12 / 19, abs=1e-4)


def test_an_answer_of_10_mb_is_read_in_part() -> None:
    assert judged("all work and no play makes a dull boy " * 260_000).reason == "repeated_words"


@pytest.mark.parametrize(
    ("text", "found"),
    [("", (0, 0)), ("a", (0, 0)), ("abc", (0, 0)), ("xaaay", (1, 3)), ("xababab", (1, 6)), ("a-----b", (0, 0))],
)
def test_longest_run(text: str, found: tuple[int, int]) -> None:
    assert longest_run(text) == found


@pytest.mark.parametrize("run", ["a" * 41, "ab" * 21, "aabb" * 11, "abc" * 14])
def test_a_run_is_found_wherever_it_begins(run: str) -> None:
    for before in range(60):
        said = "The quick brown fox jumps over the lazy dog while seven wizards box."[:before]
        assert judged(f"{said} {run} xyz").reason == "character_run"
        assert judged(f"{said} {run[:39]} xyz").keep


def test_every_answer_of_a_conversation_is_read() -> None:
    assert not Repetition().judge([chat("q", "I love you. " * 6, "r", "Fine.")])[0].keep


def test_half_a_surrogate_pair_is_a_character() -> None:
    assert judged("\ud800" * 50).reason == "character_run"
