"""A filter that drops refusals and talk of being a language model: a student learns them from few examples.

What counts as one is in `distill.refusals`. Every answer of a conversation is read, and of a preference the chosen one:
a refusal may well be what was rejected.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Literal

from pydantic import Field, field_validator

from distill.filter.bindings import shorten
from distill.filter.text.turns import Turn, TurnFilter
from distill.protocols import Verdict
from distill.refusals import OPENING, REFUSED, REFUSED_HAS, SELF_TALK, SELF_TALK_HAS, compiled, has, met, own_words


class Refusal(TurnFilter):
    """Drops an answer that opens with a refusal (`refused`) or with talk of being a language model (`as_a_model`)."""

    kind: Literal["refusal"] = "refusal"
    opening: int = Field(OPENING, gt=0)
    """Characters of the answer that are read."""
    patterns: tuple[str, ...] | None = None
    """Regular expressions that take the place of the refusals known here. They meet lower case, straight quotes and
    single spaces; `^` is the start of the answer after a word of greeting."""
    more_patterns: tuple[str, ...] = ()
    """Regular expressions added to them."""
    self_talk: bool = True
    """Whether "as an AI language model" and the like are dropped too."""

    @field_validator("patterns", "more_patterns")
    @classmethod
    def _must_compile(cls, patterns: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for pattern in patterns or ():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return patterns

    @cached_property
    def _looked_for(self) -> list[tuple[str, tuple[str, ...], list[re.Pattern[str]]]]:
        """Reason, what an answer must have to be worth the search, and patterns."""
        known = compiled(REFUSED if self.patterns is None else ())
        own = compiled((*(self.patterns or ()), *self.more_patterns))
        talk = compiled(SELF_TALK if self.self_talk else ())
        return [("refused", REFUSED_HAS, known), ("refused", ("",), own), ("as_a_model", SELF_TALK_HAS, talk)]

    def objection(self, turn: Turn) -> Verdict | None:
        """Score is the place in the opening where the phrase begins."""
        said = own_words(turn.said[: self.opening])
        for reason, needed, patterns in self._looked_for:
            found = met(said, turn.asked, patterns) if patterns and has(needed, said) else None
            if found:
                return Verdict(False, reason, found[0], shorten(found[1]))
        return None
