"""A filter that drops refusals and talk of being a language model: a student learns them from few examples.

What counts as one is in `distill.refusals`. Of a preference the chosen answer is read: a refusal may well be what was
rejected.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Literal

from pydantic import Field, field_validator

from distill.filter.bindings import RowFilter, shorten
from distill.protocols import KEEP, Verdict
from distill.refusals import OPENING, REFUSED, SELF_TALK, compiled, phrase
from distill.rows import Row


class Refusal(RowFilter):
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
    def _reasons(self) -> dict[str, list[re.Pattern[str]]]:
        refused = (*(REFUSED if self.patterns is None else self.patterns), *self.more_patterns)
        return {
            "refused": compiled(refused),
            "as_a_model": compiled(SELF_TALK if self.self_talk else ()),
        }

    def verdict(self, row: Row) -> Verdict:
        """Score is the place in the opening where the phrase begins."""
        for reason, patterns in self._reasons.items():
            found = phrase(row.answer, row.question, patterns, self.opening)
            if found:
                return Verdict(False, reason, found[0], shorten(found[1]))
        return KEEP
