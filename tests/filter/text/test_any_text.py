"""Whatever the text: no filter fails, every row gets one verdict, and neither order nor company of rows matters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distill.filter.bindings import Bindings
from distill.filter.chain import AnyFilter, Chain
from distill.filter.text.echo import Echo
from distill.filter.text.encoding import Encoding
from distill.filter.text.finished import Finished
from distill.filter.text.format import Format
from distill.filter.text.language import Language
from distill.filter.text.length import Length
from distill.filter.text.refusal import Refusal
from distill.filter.text.repetition import Repetition
from distill.rows import Row
from tests.filter.make import chat, pair, text, word_tokenizer

FILTERS: tuple[AnyFilter, ...] = (
    Finished(),
    Length(max_tokens=40, max_words=200),
    Repetition(),
    Refusal(),
    Echo(min_words=2),
    Encoding(),
    Format(),
    Language(allow=("en", "hi"), same_as_prompt=True),
)
PIECES = (
    "the mill by the river ", "Answer in one word. ", "I'm sorry, but I can't help with that. ", "```\n", "<think>",
    "नमस्ते दुनिया ", "今天天气很好", "Список ", "\ud800", "\u202e", "\ufffd", "Ã©", "\x00", "{", "[", "\"", "- a\n", "1. b\n", "🏴",
    "List 3 things. ", "Start your answer with \"", "\n\n", ", ", "<|im_end|>", "аpple ",
)  # fmt: skip
TEXTS = st.one_of(
    st.text(st.characters(codec=None), max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
)
ROWS: st.SearchStrategy[Row] = st.one_of(
    st.builds(chat, TEXTS, TEXTS),
    st.builds(chat, TEXTS, TEXTS, TEXTS, TEXTS),
    st.builds(chat, TEXTS),
    st.builds(text, TEXTS),
    st.builds(pair, TEXTS, TEXTS, TEXTS),
)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[AnyFilter, ...]], Chain]:
    file: Path = word_tokenizer(tmp_path_factory.mktemp("tokenizer"))
    return lambda specs: Chain(specs, Bindings(file))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(rows=st.lists(ROWS, max_size=6), data=st.data())
def test_any_rows(chain: Callable[[tuple[AnyFilter, ...]], Chain], rows: list[Row], data: st.DataObject) -> None:
    judged = list(chain(FILTERS).judge(rows))
    assert [result.row for result in judged] == rows
    assert all(result.verdict.keep or (result.verdict.reason and result.verdict.evidence) for result in judged)
    assert all(result.verdict.score is None or result.verdict.score >= 0 for result in judged)
    order = data.draw(st.permutations(range(len(rows))))
    again = list(chain(FILTERS).judge([rows[place] for place in order]))
    assert [judged[place] for place in order] == again


UNITS = (
    *(
        "a",
        " ",
        "word ",
        "\n",
        "[",
        '{"a":',
        "`",
        "```\n",
        "\u200b",
        "\ud800",
        "é",
        "Ã©",
        "語",
        "- a\n",
        "1. ",
        "a.B ",
        "ab",
    ),
    *('"', "аa", "\u2066", "a@", "://", "<", "$$", "#", "a, "),
)


@pytest.mark.parametrize("spec", FILTERS, ids=lambda spec: spec.kind)
def test_long_answers_of_one_piece(chain: Callable[[tuple[AnyFilter, ...]], Chain], spec: AnyFilter) -> None:
    """A pattern that tries again from every place would stay here for hours."""
    for unit in UNITS:
        answer = unit * (100_000 // len(unit))
        rows = [chat("Answer in JSON, in at most 3 sentences and without using commas.", answer), chat(answer, answer)]
        assert len(chain((spec,)).together(rows)) == 2
