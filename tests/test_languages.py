"""Whether a text is in a language: hand-made cases, and the sentences of a corpus in many languages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import chatterbot_corpus
import pytest
import yaml

from distill.languages import NAMES, code_of, empty_words, named, spoken, telling_words


def corpus() -> dict[str, list[str]]:
    """Distinct sentences of chatterbot-corpus by the code of their language."""
    folder = Path(chatterbot_corpus.__file__).parent / "data"
    found: dict[str, set[str]] = {}
    for path in sorted(folder.glob("*/*.yml")):
        code = code_of(path.parent.name.replace("traditionalchinese", "chinese"))
        talks = yaml.safe_load(path.read_text(encoding="utf-8")).get("conversations", []) if code else []
        turns = (turn for talk in talks if isinstance(talk, list) for turn in talk)
        found.setdefault(code or "", set()).update(turn for turn in turns if isinstance(turn, str) and len(turn) > 3)
    return {code: sorted(texts) for code, texts in found.items() if code}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Spanish", "es"),
        ("es", "es"),
        ("es-MX", "es"),
        ("pt_BR", "pt"),
        ("español", "es"),
        ("中文", "zh"),
        ("Klingon", None),
    ],
)
def test_a_language_has_many_names(name: str, code: str | None) -> None:
    assert code_of(name) == code
    assert named(name) == ("Klingon" if code is None else NAMES[code][0].capitalize())


@pytest.mark.parametrize(
    ("text", "language", "is_it"),
    [
        ("¿Dónde está la biblioteca?", "Spanish", True),
        ("Where is the library?", "Spanish", False),
        ("Wo ist die Bibliothek?", "German", True),
        ("Wo ist die Bibliothek?", "Dutch", False),
        ("图书馆在哪里,我想借一本书", "Chinese", True),
        ("図書館はどこですか", "Chinese", False),
        ("図書館はどこですか", "Japanese", True),
        ("Де знаходиться бібліотека?", "Russian", False),
        ("Где библиотека, ты знаешь её?", "Ukrainian", False),
        ("도서관이 어디에 있나요?", "Korean", True),
        ("Where is it?", "Korean", False),
        ("Bibliothek", "German", None),
        ("Where is the library?", "Klingon", None),
        ("1 + 2 = 3", "English", None),
        ("La función es esta:\n```\nfor the in of: if not the: with that as this\n```", "Spanish", True),
    ],
)
def test_what_can_be_told_cheaply(text: str, language: str, is_it: bool | None) -> None:
    assert spoken(text, language) is is_it


def test_words_that_say_nothing_and_words_that_do() -> None:
    assert empty_words("It is what it is...") and empty_words("?!") and empty_words("¿Y qué?")
    assert not empty_words("It is a river.")
    assert telling_words("How do the rivers of Norway come about?") == {"rivers", "norway", "come"}


def test_a_corpus_in_many_languages() -> None:
    texts_of = corpus()
    del texts_of["sv"]  # half of it is English
    assert sum(map(len, texts_of.values())) > 13_000
    for code, texts in texts_of.items():
        own = Counter(spoken(text, code) for text in texts)
        assert own[False] <= 0.02 * len(texts), (code, own)
        others = Counter(spoken(text, code) for other in texts_of if other != code for text in texts_of[other][::10])
        assert others[True] <= 0.03 * others.total() and others[False] >= 0.6 * others.total(), (code, others)
