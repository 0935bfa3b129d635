"""an answer -> which words and letters are in it, how often, and in which case. Each in linear time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from distill.languages import spoken
from distill.suites.instructions.counts import Relation, holds

READ = 8000
"""Characters that a language is told by."""
_WORD = re.compile(r"[^\W\d_][\w'’-]*")


def existence(answer: str, keywords: Sequence[str]) -> bool:
    """All of them are in it, as parts of words too."""
    text = answer.casefold()
    return all(word.casefold() in text for word in keywords)


def frequency(answer: str, keyword: str, frequency: int, relation: Relation) -> bool:
    return holds(answer.casefold().count(keyword.strip().casefold()), relation, frequency)


def forbidden_words(answer: str, forbidden_words: Sequence[str]) -> bool:
    """None of them is in it as a word of its own."""
    text = answer.casefold()
    return not any(re.search(rf"(?<!\w){re.escape(word.casefold())}(?!\w)", text) for word in forbidden_words)


def letter_frequency(answer: str, letter: str, let_frequency: int, let_relation: Relation) -> bool:
    return holds(answer.casefold().count(letter.casefold()), let_relation, let_frequency)


def capital_word_frequency(answer: str, capital_frequency: int, capital_relation: Relation) -> bool:
    """Words all in capitals, `I` and `A` among them."""
    return holds(sum(word.isupper() for word in _WORD.findall(answer)), capital_relation, capital_frequency)


def english_capital(answer: str) -> bool:
    return answer.isupper() and _may_be_english(answer.lower())


def english_lowercase(answer: str) -> bool:
    return answer.islower() and _may_be_english(answer)


def _may_be_english(text: str) -> bool:
    """A list of names has none of the words by which a language is told; detectors guess at random there."""
    return spoken(text[:READ], "en") is not False


def no_comma(answer: str) -> bool:
    return "," not in answer


def response_language(answer: str, language: str) -> bool:
    return in_language(answer, language)


def in_language(text: str, language: str) -> bool:
    """By script and commonest words, and where they do not tell by a detector of languages; what nobody can tell passes."""
    text = text[:READ]
    found = spoken(text, language)
    if found is not None:
        return found
    if not any(char.isalpha() for char in text):
        return True
    from py3langid import classify  # type: ignore[import-untyped, unused-ignore]

    code: str = classify(text)[0]
    return code == language.partition("-")[0].casefold()
