"""Filters that find a row again: exact after normalisation, near by the verified Jaccard of word shingles.

The keeper of several alike is the first of them in the order of the requests: what has been accepted stays accepted
when more rows are asked for, and the same rows are kept on every machine. Text is forgotten; hashes and ids stay.
Rows of one kind are compared with each other: a text is no answer, and a pair that ranks an answer teaches another thing.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from distill.filter.bindings import Bindings, FilterSpec, Scope
from distill.filter.minhash import Keepers, Sketch, Sketcher, band_rows
from distill.protocols import KEEP, Verdict
from distill.rows import Row

On = Literal["pair", "question", "answer"]


class ExactDuplicate(FilterSpec):
    """Drops a row whose text was there before, but for case, spacing and the punctuation around it."""

    kind: Literal["exact_duplicate"] = "exact_duplicate"
    scope: ClassVar[Scope] = "set"
    on: On = "pair"
    """`pair`: question and answer together (of preferences both answers). A question may come again with another
    answer, as with several samples. A text is compared as it is."""

    def bind(self, bindings: Bindings) -> RememberExact:  # noqa: ARG002
        return RememberExact(self)


class NearDuplicate(FilterSpec):
    """Drops a row that is nearly the same as one kept before it.

    Two texts are as near as the Jaccard of their sets of word shingles. A text with fewer words than a shingle is near
    only to the same words: short questions differ by the one word that matters. At 0.8 with three words, one word
    changed in the middle of a text of 30 is near, in one of 20 it is not.
    """

    kind: Literal["near_duplicate"] = "near_duplicate"
    scope: ClassVar[Scope] = "set"
    on: On = "pair"
    """`pair`: the question is near and the answer is near, each by itself, to those of one and the same row. With
    `question`, several answers to one question become one row: for prompts, not for chats."""
    threshold: float = Field(0.8, gt=0, le=1)
    """Least Jaccard of two texts that are near. Two rows just at it are found with a chance of at least 0.99."""
    shingle: int = Field(3, ge=1)
    """Words in a shingle, for texts that have as many; characters where a script has no spaces."""

    def bind(self, bindings: Bindings) -> RememberNear:  # noqa: ARG002
        return RememberNear(self)


class RememberExact:
    """Remembers 16 bytes and an id of every row kept."""

    scope: Scope = "set"

    def __init__(self, spec: ExactDuplicate) -> None:
        self.kind, self._on = spec.kind, spec.on
        self._keepers: dict[bytes, str] = {}

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """Verdicts against all rows judged before, evidence the keeper's id."""
        return [self._verdict(row) for row in rows]

    def _verdict(self, row: Row) -> Verdict:
        # A length before each text, so that no two pairs run together into the same bytes.
        canonical = [canon(text) for text in texts(row, self._on)]
        joined = row.kind + "".join(f"{len(text)}:{text}" for text in canonical)
        key = hashlib.blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if key in self._keepers:
            return Verdict(False, f"same_{what(row, self._on)}", 1.0, self._keepers[key])
        self._keepers[key] = row.id
        return KEEP


class RememberNear:
    """Remembers the shingles and bands of every row kept, by kind."""

    scope: Scope = "set"

    def __init__(self, spec: NearDuplicate) -> None:
        self.kind, self._on, self._threshold = spec.kind, spec.on, spec.threshold
        self._sketch = Sketcher(spec.shingle, band_rows(spec.threshold))
        self._keepers: dict[str, Keepers] = {}
        self._ids: dict[str, list[str]] = {}

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """Against all rows judged before: score is the Jaccard, of a pair the smaller one; evidence the keeper's id."""
        sketches: dict[int, Sketch] = {}
        for kind in dict.fromkeys(row.kind for row in rows):
            places = [place for place, row in enumerate(rows) if row.kind == kind]
            found = self._sketch([texts(rows[place], self._on) for place in places])
            sketches.update(zip(places, found, strict=True))
        return [self._verdict(row, sketches[place]) for place, row in enumerate(rows)]

    def _verdict(self, row: Row, sketch: Sketch) -> Verdict:
        keepers, ids = self._keepers.setdefault(row.kind, Keepers()), self._ids.setdefault(row.kind, [])
        nearest = keepers.nearest(sketch)
        if nearest and nearest[1] >= self._threshold:
            return Verdict(False, f"near_{what(row, self._on)}", nearest[1], ids[nearest[0]])
        keepers.add(sketch)
        ids.append(row.id)
        return KEEP


def what(row: Row, on: On) -> str:
    """What of a row is compared, for the reason."""
    return "text" if row.kind == "text" else on


def texts(row: Row, on: On) -> tuple[str, ...]:
    """What is compared, as many texts in every row of a kind. The question is all that was said before the answer, for
    "why?" asks another thing each time; a system message asks nothing."""
    if row.kind == "text":
        return (row.answer,)
    question = "\n".join(message.content for message in row.prompt if message.role != "system")
    answers = "\n".join([row.answer, *(message.content for message in row.rejected)])
    return {"pair": (question, answers), "question": (question,), "answer": (row.answer,)}[on]


def canon(text: str) -> str:
    """Case folded, one space between words, no punctuation around: gentler than `normalise`, for "2+2" is not "2-2"."""
    folded = " ".join(unicodedata.normalize("NFC", text).casefold().split())
    return folded.strip(" .,;:!?…\"'“”‘’") or folded
