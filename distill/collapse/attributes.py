"""texts -> the share of them that have what the user names: women, German, more than fifty words, a turn of phrase.

A model that says a little more often what its data say often makes the next one say it more often still. What should be
watched only the user knows, so that the recipe names it:

    guard:
      attributes:
        - {kind: words, name: women, words: [she, her, woman, women]}
        - {kind: language, name: german, language: de}
        - {kind: length, name: long, min_words: 50}
        - {kind: pattern, name: dialect, pattern: "\\bain't\\b"}

It counts texts and knows nothing of what an attribute means; a text of which it cannot be told is in no share.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from distill.languages import NAMES, spoken
from distill.rows import Frozen
from distill.statistics.shares import independent, wilson
from distill.words import words


class WithWords(Frozen):
    """Texts that have one of some words, whatever their case."""

    kind: Literal["words"]
    name: str = Field(min_length=1)
    words: tuple[str, ...] = Field(min_length=1)

    @field_validator("words")
    @classmethod
    def _single(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if several := [word for word in value if len(words(word)) != 1]:
            raise ValueError(f"not one word each: {', '.join(map(repr, several))}; what is longer is a `pattern`")
        return value

    def has(self, text: str) -> bool | None:
        return not {words(word)[0] for word in self.words}.isdisjoint(words(text))


class InLanguage(Frozen):
    """Texts in a language, as far as script and commonest words tell."""

    kind: Literal["language"]
    name: str = Field(min_length=1)
    language: str
    """ISO 639-1 code."""

    @field_validator("language")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in NAMES:
            raise ValueError(f"no language that can be told: {value}; there are {', '.join(NAMES)}")
        return value

    def has(self, text: str) -> bool | None:
        return spoken(text, self.language)


class OfLength(Frozen):
    """Texts of so many words."""

    kind: Literal["length"]
    name: str = Field(min_length=1)
    min_words: int = Field(default=0, ge=0)
    max_words: int | None = Field(default=None, ge=0)
    """None: no bound."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if not self.min_words and self.max_words is None:
            raise ValueError("neither min_words nor max_words: every text is of that length")
        if self.max_words is not None and self.max_words < self.min_words:
            raise ValueError(f"max_words {self.max_words} is below min_words {self.min_words}")
        return self

    def has(self, text: str) -> bool | None:
        count = len(words(text))
        return self.min_words <= count and (self.max_words is None or count <= self.max_words)


class OfPattern(Frozen):
    """Texts in which a regular expression finds something, whatever the case."""

    kind: Literal["pattern"]
    name: str = Field(min_length=1)
    pattern: str = Field(min_length=1)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return value

    def has(self, text: str) -> bool | None:
        return re.search(self.pattern, text, re.IGNORECASE) is not None


Attribute = Annotated[WithWords | InLanguage | OfLength | OfPattern, Field(discriminator="kind")]


@dataclass(frozen=True)
class Share:
    having: int
    told: int
    """Texts of which it could be told."""
    untold: int

    @property
    def value(self) -> float:
        return self.having / self.told

    @property
    def interval(self) -> tuple[float, float]:
        """95%, of texts that are independent of each other."""
        return wilson(self.having, self.told)

    def beside(self, other: Share) -> tuple[float, float]:
        """95% interval of this share less another's."""
        return independent(self.having, self.told, other.having, other.told)


def share(attribute: Attribute, texts: Iterable[str]) -> Share:
    said = [attribute.has(text) for text in texts]
    return Share(said.count(True), said.count(True) + said.count(False), said.count(None))


def amplified(people: Share, teacher: Share, student: Share) -> bool:
    """Whether the student went further from people the way that the teacher went, each beyond its interval."""
    first, second = teacher.beside(people), student.beside(teacher)
    return (first[0] > 0 and second[0] > 0) or (first[1] < 0 and second[1] < 0)
