"""evaluated texts -> verdicts on texts that hold them word for word: whole, or most of their word n-grams.

Short texts by equality, long ones by the share of an evaluated text's n-grams. Long n-grams alone miss the short
questions, which are most of them; n-grams of all lengths find templates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from distill.filter.bindings import shorten
from distill.filter.contamination.ngrams import Batch, Hit, Table
from distill.filter.contamination.said import Said, Texts
from distill.filter.duplicates.shingles import WordHashes
from distill.protocols import KEEP, Verdict

SENTENCE = 4
"""Least words of an evaluated question that is looked for as a sentence of a longer text."""
SMALL = frozenset(
    "a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it its "
    "just me my no not of on or our please she so some than that the their them then there these they this to up us was "
    "we were what when where which who why will with would you your".split()
)
"""Words without which a text says the same."""


class Evaluated(NamedTuple):
    """A row or a benchmark's item that a student will be asked."""

    name: str
    """What evidence calls it: the id of a row, or a reference and the number of the record."""
    texts: Texts


class Whole:
    """Questions and answers that are the same as evaluated ones, but for case, spacing and punctuation."""

    def __init__(self, evaluated: Iterable[Evaluated], least: int) -> None:
        """`least`: words of an answer or a later turn that means something alone."""
        self._least = least
        self._questions: dict[str, str] = {}
        self._answers: dict[str, str] = {}
        for name, texts in evaluated:
            for key in texts.questions(least):
                self._questions.setdefault(key, name)
            for said in (*texts.answers, *texts.others):
                if len(said.terms) >= least:
                    self._answers.setdefault(said.key, name)

    def judge(self, rows: Sequence[Texts]) -> list[Verdict]:
        """Evidence is the evaluated row and the text."""
        return [self._verdict(texts) for texts in rows]

    def _verdict(self, texts: Texts) -> Verdict:
        for key in texts.questions(self._least):
            if key in self._questions:
                reason = "text_seen" if texts.is_text else "question_seen"
                return Verdict(False, reason, 1.0, f"{self._questions[key]}: {shorten(key)}")
        for said in texts.answers:
            # Only answers that are long enough are in the table.
            if len(said.terms) >= self._least and (key := said.key) in self._answers:
                return Verdict(False, "answer_seen", 1.0, f"{self._answers[key]}: {shorten(key)}")
        return KEEP


class Parts:
    """Texts that hold most of an evaluated one's n-grams, or a short question as a sentence of theirs."""

    def __init__(self, evaluated: Iterable[Evaluated], long: int, short: int, overlap: float) -> None:
        self._overlap, self._hashes = overlap, WordHashes()
        distinct: dict[str, tuple[str, Said]] = {}
        for name, texts in evaluated:
            for said, asked in texts.each:
                # Of short texts only questions are looked for.
                if asked or len(said.terms) >= short:
                    distinct.setdefault(said.key, (name, said))
        self._owners: dict[int, list[tuple[str, Said]]] = {}
        for name, said in distinct.values():
            length = len(said.terms)
            size = long if length >= 2 * long else min(short, length)
            if size >= SENTENCE:
                self._owners.setdefault(size, []).append((name, said))
        self._tables = {
            size: Table(size, [said.terms for _, said in owners], self._hashes)
            for size, owners in sorted(self._owners.items())
        }
        self._short, self._long = short, long

    def judge(self, rows: Sequence[Texts]) -> list[Verdict]:
        """Evidence is the evaluated row and the text they share, score the share of that row's text."""
        turns = [(place, said, asked) for place, texts in enumerate(rows) for said, asked in texts.each]
        verdicts = [KEEP] * len(rows)
        if not self._tables or not turns:
            return verdicts
        batch = Batch([said.terms for _, said, _ in turns], self._hashes)
        for table, grams in zip(self._tables.values(), batch.ngrams(list(self._tables)), strict=True):
            for hit in table.held(batch, grams, self._overlap):
                place, said, asked = turns[hit.text]
                if hit.share > (verdicts[place].score or 0) and self._counts(table, hit, said, asked):
                    verdicts[place] = self._verdict(table, hit, said)
        return verdicts

    def _counts(self, table: Table, hit: Hit, said: Said, asked: bool) -> bool:
        """Whether what was found is more than a template that both follow."""
        _, evaluated = self._owners[table.size][hit.owner]
        if table.size < self._short:
            return asked and said.holds(evaluated)
        if hit.share == 1 or len(evaluated.terms) >= 2 * self._long:
            return True
        # Of a short text one word may be all the difference: France or Spain, 5 or 6.
        return evaluated.vocabulary - SMALL <= said.vocabulary

    def _verdict(self, table: Table, hit: Hit, said: Said) -> Verdict:
        name, _ = self._owners[table.size][hit.owner]
        shared = " ".join(table.shared(said.terms, hit.owner, self._hashes))
        reason = "question_inside" if table.size < self._short else "overlap"
        return Verdict(False, reason, round(hit.share, 4), f"{name}: {shorten(shared)}")
