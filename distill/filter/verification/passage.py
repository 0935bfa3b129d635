"""A filter that holds an answer against the passage in the row's evidence, word by word and number by number.

It finds what was made up, not what was misunderstood (see `grounding`).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from distill import grounding
from distill.evidence import PASSAGE, TITLE
from distill.filter.bindings import shorten
from distill.filter.verification.verify import Verified
from distill.protocols import KEEP, Verdict
from distill.rows import Row

_SAYS_NOTHING = frozenset({"yes"})
"""Answers that no passage holds; "no" is no word of meaning anyway."""


class Grounded(Verified):
    """Drops an answer with numbers that neither passage nor question has (`made_up_number`), or with too few words that
    stand in the passage (`unsupported`). The score of a kept row is the share that does."""

    kind: Literal["grounded"] = "grounded"
    NEEDS: ClassVar[str] = PASSAGE
    support: float = Field(0.6, ge=0, le=1)
    """Least share of what an answer adds to its question, in words of meaning and numbers, that stands in the passage."""
    numbers: bool = True
    """Whether every number of the answer must stand in the passage or the question; turn it off where answers reckon."""

    def check(self, row: Row) -> Verdict:
        passage = row.evidence[PASSAGE]
        source = f"{row.evidence.get(TITLE, '')} {passage}"
        question = row.question.replace(passage, " ")  # a row may show the passage before its question
        answer = grounding.LEAD.sub("", row.answer)
        if self.numbers and (numbers := grounding.made_up(answer, f"{source} {question}")):
            return Verdict(
                False, "made_up_number", evidence=f"{shorten(', '.join(sorted(numbers)))}: {shorten(answer)}"
            )
        added = grounding.terms(answer) - grounding.terms(question) - _SAYS_NOTHING
        if not added:
            return KEEP  # it says nothing that could be made up
        share = round(grounding.support(added, source), 4)
        if share < self.support:
            strange = ", ".join(sorted(added - grounding.terms(source)))
            return Verdict(False, "unsupported", share, f"not in the passage: {shorten(strange)}")
        return Verdict(True, score=share)
