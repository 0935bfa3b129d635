"""Training rows against everything evaluated on: what a student will be asked must not be what it was taught.

Short texts by equality after normalisation, long ones by the share of an evaluated text's word n-grams that a training
text holds. Long n-grams alone miss the short questions, which are most of them. Every turn is looked at by itself: of a
preference the rejected answer too, of an evaluated row what its check needs (a passage, a reference answer).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from distill.filter.bindings import Bindings, FilterSpec, Scope, shorten
from distill.filter.shingles import WordHashes
from distill.protocols import KEEP, Verdict
from distill.rows import Row, normalise
from distill.words import terms, words

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


TITLE = "title"
"""Evidence that gives nothing away: what a document is called."""


class Contamination(FilterSpec):
    """Drops a row, real ones too, that holds a question, an answer or most of a longer text that is evaluated on."""

    kind: Literal["contamination"] = "contamination"
    judges_real: ClassVar[bool] = True
    min_answer_words: int = Field(8, ge=1)
    """Least words of an answer, or of a later turn of a conversation, that is looked for: "yes" gives nothing away."""
    ngram: int = Field(13, ge=2)
    """Words of the n-grams of evaluated texts that have at least twice as many."""
    short_ngram: int = Field(8, ge=2)
    """Words of the n-grams of shorter ones; evaluated texts with fewer words are looked for by equality alone."""
    overlap: float = Field(0.7, gt=0, le=1)
    """Share of an evaluated text's n-grams in one turn that drops the row. A low one mostly finds templates."""

    @model_validator(mode="after")
    def _shorter_is_shorter(self) -> Self:
        if self.short_ngram > self.ngram:
            raise ValueError(f"short_ngram is {self.short_ngram}, above ngram, which is {self.ngram}")
        return self

    def bind(self, bindings: Bindings) -> FindEvaluated:
        return FindEvaluated(self, bindings.evaluated)


class FindEvaluated:
    """The contamination filter with the evaluated rows in its index. It remembers nothing of the rows it judges."""

    scope: Scope = "row"

    def __init__(self, spec: Contamination, evaluated: Iterable[Row]) -> None:
        self.kind, self._spec = spec.kind, spec
        self._questions: dict[str, str] = {}
        self._answers: dict[str, str] = {}
        whole: dict[str, tuple[str, list[str]]] = {}
        for row in evaluated:
            for key in self._asked(row):
                self._questions.setdefault(key, row.id)
            evidence = [text for name, text in row.evidence.items() if name != TITLE]
            for text in (*_answers(row), *evidence):
                if len(words(text)) >= spec.min_answer_words:
                    self._answers.setdefault(normalise(text), row.id)
            for text in (*_turns(row), *evidence):
                whole.setdefault(normalise(text), (row.id, terms(text)))
        hashes = WordHashes()
        long = [text for text in whole.values() if len(text[1]) >= 2 * spec.ngram]
        short = [text for text in whole.values() if spec.short_ngram <= len(text[1]) < 2 * spec.ngram]
        self._ngrams = [
            EvaluatedNgrams(texts, n, hashes) for texts, n in ((long, spec.ngram), (short, spec.short_ngram)) if texts
        ]

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """Evidence is the id of the evaluated row and the text they share, score the share of that row's text."""
        verdicts = [self._equal(row) for row in rows]
        turns = [(place, terms(text)) for place, row in enumerate(rows) if verdicts[place].keep for text in _turns(row)]
        for ngrams in self._ngrams:
            for index, share, evidence in ngrams.found([text for _, text in turns]):
                place = turns[index][0]
                if share >= self._spec.overlap and share > (verdicts[place].score or 0):
                    verdicts[place] = Verdict(False, "overlap", round(share, 4), evidence)
        return verdicts

    def _equal(self, row: Row) -> Verdict:
        for key in self._asked(row):
            if key in self._questions:
                seen = "text_seen" if row.kind == "text" else "question_seen"
                return Verdict(False, seen, 1.0, f"{self._questions[key]}: {shorten(key)}")
        for text in _answers(row):
            key = normalise(text)
            # Only answers that are long enough are in the table.
            if key in self._answers:
                return Verdict(False, "answer_seen", 1.0, f"{self._answers[key]}: {shorten(text)}")
        return KEEP

    def _asked(self, row: Row) -> Iterator[str]:
        """What counts as a question of a conversation: all that the user had said at each turn, and a later turn alone
        if it is long enough to mean something alone. "why?" is not the question that an evaluated "why?" was. A text
        stands for itself."""
        if row.kind == "text":
            yield normalise(row.answer)
        said: list[str] = []
        for text in _said(row, "user"):
            said.append(normalise(text))
            if any(said):
                yield "\n".join(said)
            if len(said) > 1 and len(words(text)) >= self._spec.min_answer_words:
                yield said[-1]


class EvaluatedNgrams:
    """The word n-grams of evaluated texts, and which texts each stands in."""

    def __init__(self, texts: Sequence[tuple[str, list[str]]], n: int, hashes: WordHashes) -> None:
        """Texts are (id of the row, words), each of at least n words."""
        import numpy as np

        self._ids, self._n, self._hashes = [row for row, _ in texts], n, hashes
        grams, counts = hashes.ngrams([text for _, text in texts], n)
        owners = np.repeat(np.arange(len(texts)), counts)
        order = np.lexsort((owners, grams))
        grams, owners = grams[order], owners[order]
        # An n-gram that comes twice in one text counts once.
        new = np.concatenate(([True], (np.diff(grams) != 0) | (np.diff(owners) != 0)))
        self._grams, self._owners = grams[new], owners[new]
        self._sizes = np.bincount(self._owners, minlength=len(texts))

    def found(self, texts: Sequence[list[str]]) -> Iterator[tuple[int, float, str]]:
        """For each text that shares an n-gram with an evaluated one: its index, the largest share of an evaluated
        text's n-grams that it holds, and the evidence."""
        import numpy as np

        grams, counts = self._hashes.ngrams(texts, self._n)
        left = np.searchsorted(self._grams, grams)
        hits = np.flatnonzero(self._grams[np.minimum(left, len(self._grams) - 1)] == grams)
        ends = np.cumsum(counts)
        of_text = np.searchsorted(ends, hits, side="right")
        for index in np.unique(of_text):
            mine = hits[of_text == index]
            owner, share, places = self._best(grams[mine])
            first = mine[places] - (ends[index] - counts[index])
            shared = " ".join(texts[index][first.min() : first.max() + self._n])
            yield int(index), share, f"{self._ids[owner]}: {shorten(shared)}"

    def _best(self, grams: npt.NDArray[np.uint64]) -> tuple[int, float, npt.NDArray[np.bool_]]:
        """The evaluated text of which these n-grams hold the largest share, that share, and which of them it has."""
        import numpy as np

        distinct, inverse = np.unique(grams, return_inverse=True)
        starts = np.searchsorted(self._grams, distinct)
        ends = np.searchsorted(self._grams, distinct, side="right")
        owned = [self._owners[start:end] for start, end in zip(starts, ends, strict=True)]
        owners, counts = np.unique(np.concatenate(owned), return_counts=True)
        shares = counts / self._sizes[owners]
        best = int(shares.argmax())
        has = np.array([owners[best] in one for one in owned])
        return int(owners[best]), float(shares[best]), has[inverse]


def _said(row: Row, role: str) -> Iterator[str]:
    return (message.content for message in row.messages if message.role == role)


def _answers(row: Row) -> Iterator[str]:
    """What the assistant said, or might have said."""
    yield from _said(row, "assistant")
    yield from (message.content for message in row.rejected if message.role == "assistant")


def _turns(row: Row) -> Iterator[str]:
    """Every text of a row that is its own: system messages are the same in many."""
    for message in (*row.messages, *row.rejected):
        if message.role != "system":
            yield message.content
        if message.reasoning:
            yield message.reasoning
