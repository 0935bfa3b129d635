"""Words and terms in any script."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.words import terms, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("?!", []),
        ("What's up, Doc?", ["what", "s", "up", "doc"]),
        ("今天 good", ["今", "天", "good"]),
        ("한국어 단어", ["한국어", "단어"]),
        ("दिन दान", ["दिन", "दान"]),
        ("Ｆｕｌｌ café", ["full", "café"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_terms_tell_operators_apart() -> None:
    assert terms("2 + 2") != terms("2 * 2")
    assert terms("2 - 2") == ["2", "2"]
    assert terms("2 -2 == x") == ["2", "-", "2", "==", "x"]
    assert terms("well-known") == ["well", "known"]


@given(st.text(st.characters(max_codepoint=127)))
def test_the_fast_way_finds_what_the_expression_finds(text: str) -> None:
    assert words(text) == re.findall(r"[a-z0-9]+", text.lower())
    operators = r"[+*/=<>^%&|~]+|-(?=[\d(])"
    assert terms(text) == re.findall(rf"[a-z0-9]+|{operators}", text.lower())
