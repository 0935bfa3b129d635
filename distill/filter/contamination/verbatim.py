"""Answers against corpora that the user names: how many words in a row a teacher has from them.

A model may have its training data by heart. What its licence says of outputs says nothing of whose words they are, so the
longest run is measured, told, and where it is wanted dropped. Only what is in a corpus that was named can be found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from distill.filter.bindings import Bindings, FilterSpec, Scope, shorten
from distill.filter.contamination.runs import NGRAM, Corpus
from distill.protocols import KEEP, Verdict
from distill.rows import Row
from distill.sources.real import Real
from distill.words import words

WHOLE = ("conversation", "magpie")
"""Methods whose rows a model wrote from the first turn on; of others the turns before the answer are people's."""


class Verbatim(FilterSpec):
    """Measures the longest run of words that an answer shares with a corpus, and drops those above a limit if asked to."""

    kind: Literal["verbatim"] = "verbatim"
    AUDITED: ClassVar[bool] = False
    corpora: Mapping[str, Real] = Field(min_length=1)
    """Texts that answers are held against, by a name for the evidence; described as data under `real` are."""
    max_run: int = Field(50, ge=NGRAM)
    """Words in a row from which on a row counts as copied."""
    drop: bool = False
    """Drop rows that are above it; else they are only counted."""

    @property
    def data(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(real.data for real in self.corpora.values()))

    def bind(self, bindings: Bindings) -> FindCopied:
        return FindCopied(self, bindings)


class FindCopied:
    """The filter with the corpora in its index."""

    scope: Scope = "row"

    def __init__(self, spec: Verbatim, bindings: Bindings) -> None:
        self.kind = spec.kind
        self._spec, self._ranks = spec, bindings.open.context.ranks
        texts = list(_texts(spec, bindings))
        self._names = [name for name, text in texts if len(text) >= NGRAM]
        self._corpus = Corpus(text for _, text in texts)
        self._runs: list[tuple[int, str]] = []
        self._judged = 0

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """Score is the words of the longest run, 0 where there is none of eight; evidence the run and whose it is."""
        return [self._verdict(row) for row in rows]

    def _verdict(self, row: Row) -> Verdict:
        self._judged += 1
        longest, evidence, whose = 0, "", ""
        for content in _written(row):
            said = words(content)
            run = self._corpus.longest(said)
            if run is not None and run.words > longest:
                whose = self._names[run.text]
                longest = run.words
                evidence = f"{whose}: {longest} words: {shorten(' '.join(said[run.start : run.start + longest]))}"
        if longest:
            self._runs.append((longest, whose.partition(" ")[0]))
        if longest > self._spec.max_run and self._spec.drop:
            return Verdict(False, "copied", float(longest), evidence)
        return Verdict(True, KEEP.reason, float(longest))

    def notes(self) -> list[str]:
        """Longest run, and share of the rows above the limit, over all processes; asked on each of them."""
        runs = self._ranks.gather(self._runs)
        judged = sum(self._ranks.gather([self._judged]))
        self._runs, self._judged = [], 0
        if not judged:
            return []
        above = sum(run > self._spec.max_run for run, _ in runs)
        longest, whose = max(runs, default=(0, ""))
        of = f"the longest run is {longest} words, of {whose}" if longest else f"no run of {NGRAM} words was found"
        did = "dropped" if self._spec.drop else "kept"
        return [f"{above} of {judged} rows ({above / judged:.1%}) share more than {self._spec.max_run} words in a row with "
                f"{', '.join(self._spec.corpora)} ({did}); {of}"]  # fmt: skip


def _written(row: Row) -> list[str]:
    """What the model wrote: the last answer, and those before it where the whole conversation is the model's."""
    whole = re.split(r"[@#\[]", row.provenance.method)[0] in WHOLE
    said = [message.content for message in row.messages if message.role == "assistant"]
    return [*(said if whole else said[-1:]), *(message.content for message in row.rejected)]


def _texts(spec: Verbatim, bindings: Bindings) -> Iterator[tuple[str, list[str]]]:
    for name, real in spec.corpora.items():
        for row in bindings.open.rows(name, real):
            for message in row.messages:
                yield f"{name} {row.id}", words(message.content)
