"""Words and terms in any script."""

from __future__ import annotations

import pytest

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
