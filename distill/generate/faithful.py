"""A text and what was made of it -> whether what had to stay is there, and what had to change is not.

It holds numbers, code, length, words and language against each other. Whether two texts mean the same it does not know:
that is asked of a model.
"""

from __future__ import annotations

import re
import unicodedata

from distill.generate.author import Unusable
from distill.generate.instructions import HELPS, asks, overlap
from distill.languages import code_of, spoken, telling_words
from distill.refusals import phrase
from distill.rows import normalise
from distill.words import words

KEEPS_MEANING = ("paraphrase", "style", "translation")
"""Ways after which a text must still say the same."""
COPIES = {"paraphrase": 0.8, "style": 0.9, "translation": 0.8, "easier": 0.9, "harder": 0.9}
"""Jaccard of the words of two texts from which one is a copy of the other, by way."""
GROWS, SLACK = 3, 80
"""Times its length, and characters more, that a text may grow to that must mean the same."""
TELLING = 4
"""Telling words of which one at least must be left where the meaning stays; of fewer all may have been replaced."""
TALKS = re.compile(
    r"(?:the|this|that|your|both|these) (?:original |given |new |above |two )?(?:text|sentence|question|statement|phrase|passage"
    r"|translation|paraphrase|request|style|task)s?\b",
    re.I,
)
"""The beginning of talk about a text."""
UNMARKED = ("ja", "th")
"""Languages whose questions have no mark."""
_NUMBER = re.compile(r"\d(?:[\d.,'\u00a0\u202f]*\d)?")
_CODE = re.compile(r"```[^\n]*\n(.*?)```|`([^`\n]+)`", re.S)


def compare(anew: str, before: str, way: str, asking: bool = True, language: str | None = None) -> None:
    """Refuse what is no such text.

    Args:
        way: kind of what was done to it.
        asking: it is what a user says, and must ask if it did before.
        language: that it must be in now.

    Raises:
        Unusable: `copies_parent`, `refused`, `talks_about_it`, `answers_it`, `speaks_as_assistant`,
            `wrong_language`, `asks_back`,
            `changes_numbers`, `changes_code`, `loses_subject` or `adds_text`.
    """
    detail = f"{before} -> {anew}"
    if normalise(anew) == normalise(before) or overlap(anew, before) >= COPIES[way]:
        raise Unusable("copies_parent", detail)
    if phrase(anew, before):
        raise Unusable("refused", detail)
    if TALKS.match(anew) and not TALKS.match(before):
        raise Unusable("talks_about_it", detail)
    if asking and way != "translation" and asks(before) and not asks(anew):
        raise Unusable("answers_it", detail)
    if asking and HELPS.search(anew) and not HELPS.search(before):
        raise Unusable("speaks_as_assistant", detail)
    if language and asking and _asked(before) and not _asked(anew) and code_of(language) not in UNMARKED:
        raise Unusable("answers_it", detail)
    if language and spoken(anew, language) is False:
        raise Unusable("wrong_language", f"{detail} (asked for {language})")
    if way in KEEPS_MEANING:
        _keep(anew, before, way, asking, detail)


def _keep(anew: str, before: str, way: str, asking: bool, detail: str) -> None:
    """What must stay where the meaning does; a style may be wordy."""
    if not asking and _asked(anew) and not _asked(before):
        raise Unusable("asks_back", detail)
    if numbers(anew) != numbers(before):
        raise Unusable("changes_numbers", detail)
    if code(anew) != code(before):
        raise Unusable("changes_code", detail)
    if way != "translation" and not keeps_subject(anew, before, TELLING):
        raise Unusable("loses_subject", detail)
    if way != "style" and len(anew) > GROWS * len(before) + SLACK:
        raise Unusable("adds_text", detail)


def keeps_subject(anew: str, before: str, least: int = 1) -> bool:
    """A word that says something of a text, or its stem, is in the new one; a text with fewer than `least` has none to lose."""
    telling = {word[:5] for word in telling_words(before)}
    return len(telling) < least or bool(telling & {word[:5] for word in words(anew)})


def _asked(text: str) -> bool:
    return any(mark in text for mark in "?？؟;")


def numbers(text: str) -> set[str]:
    """The numbers of a text, in Western digits and without what separates them: 1,000 is 1.000 elsewhere."""
    found = (re.sub(r"\D", "", number) for number in _NUMBER.findall(text))
    return {"".join(str(unicodedata.digit(char)) for char in number) for number in found}


def code(text: str) -> set[str]:
    """Its pieces of code."""
    return {(block or span).strip() for block, span in _CODE.findall(text)}
