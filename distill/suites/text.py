"""text: questions with a reference answer, or several; the answer is held against them as a text.

    {kind: text, source: {data: my.jsonl, prompt: question, answer: reply}}

Where an item has several references (evidence `references`, a list) the one that is best by each measure counts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar, Literal

from distill.errors import SourceError
from distill.evidence import REFERENCE, REFERENCES
from distill.rows import Message, Row
from distill.suites import matching, overlap
from distill.suites.sourced import Sourced
from distill.suites.suite import Answered, Answering, Judged, Measures, cut, mean


class Text(Sourced, Answering):
    """Answers as texts: the same, the same but for case and punctuation, or with so much in common."""

    kind: Literal["text"] = "text"
    METRICS: ClassVar[tuple[str, ...]] = ("normalised_match", "exact_match", "contained", "chrf", "rouge_l")

    def prepared(self, rows: Sequence[Row]) -> list[Row]:
        return [self._answered(row) for row in rows]

    def _answered(self, row: Row) -> Row:
        """The row with its first reference as the answer, where it has none."""
        known = self._references(row)
        if not known:
            raise SourceError(
                f"an item without a reference answer: {row.question[:80]!r}",
                where=self.place,
                hint="give source.answer, or source.evidence: {references: COLUMN} for several",
            )
        if row.answer:
            return row
        messages = (*row.messages, Message(role="assistant", content=known[0]))
        return row.model_copy(update={"kind": "chat", "messages": messages})

    def _references(self, row: Row) -> tuple[str, ...]:
        """All that would be right: the answer, and what the evidence has."""
        evidence = row.evidence
        single = [text for text in (row.answer, evidence.get(REFERENCE, "")) if text]
        return tuple(dict.fromkeys((*single, *self._several(evidence.get(REFERENCES, "[]")))))

    def _several(self, text: str) -> list[str]:
        try:
            found = json.loads(text)
        except ValueError:
            found = text
        if not isinstance(found, list) or not all(isinstance(one, str | int | float) for one in found):
            raise SourceError(f"`references` is no list of texts: {text[:80]!r}", where=self.place)
        return [said for one in found if (said := str(one).strip())]

    def judge(self, asked: Sequence[Answered]) -> list[Judged]:
        return [self._judged(one) for one in asked]

    def _judged(self, one: Answered) -> Judged:
        known = self._references(one.row)
        read = [cut(answer, self.until).strip() for answer in one.answers]
        each = [compared(answer, known) for answer in read]
        measures: Measures = {name: mean([values[name] for values in each]) for name in self.METRICS}
        return Judged(measures, found=read[0] if read[0] != one.answers[0] else None)


def compared(answer: str, references: Sequence[str]) -> dict[str, float]:
    """Every measure of an answer, each against the reference that is best by it."""
    against = overlap.Answer(answer)
    return {
        "exact_match": float(any(matching.exact(answer, one) for one in references)),
        "normalised_match": float(any(matching.normalised(answer, one) for one in references)),
        "contained": float(any(matching.contained(answer, one) for one in references)),
        "chrf": max(against.chrf(one) for one in references),
        "rouge_l": max(against.rouge_l(one) for one in references),
    }
