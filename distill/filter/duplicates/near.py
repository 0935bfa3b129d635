"""Filters that find a row again: exact after normalisation, near by the verified Jaccard of word shingles.

Text is forgotten; hashes and ids stay. Which of several alike is kept: see keeper.py.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from distill.filter.bindings import Bindings, FilterSpec
from distill.filter.duplicates.keeper import Best, Comparing, First, Near, On, texts, what
from distill.filter.duplicates.minhash import Keepers
from distill.filter.duplicates.sketch import LEAST, Frequencies, Sets, join, sketch
from distill.protocols import KEEP, Scope, Verdict
from distill.rows import Row


class ExactDuplicate(FilterSpec):
    """Drops a row whose text was there before, but for case, spacing and the punctuation around it."""

    kind: Literal["exact_duplicate"] = "exact_duplicate"
    scope: ClassVar[Scope] = "set"
    on: On = "pair"
    """`pair`: question and answer together (of preferences both answers). A question may come again with another
    answer, as with several samples. A text is compared as it is."""

    def bind(self, bindings: Bindings) -> RememberExact:  # noqa: ARG002
        return RememberExact(self)


class NearDuplicate(Comparing):
    """Drops a row that is nearly the same as one that is kept.

    Two texts are as near as the Jaccard of their sets of word shingles. A text with fewer words than a shingle is near
    only to the same words: short questions differ by the one word that matters. At 0.8 with three words, one word
    changed in the middle of a text of 30 is near, in one of 20 it is not.
    """

    kind: Literal["near_duplicate"] = "near_duplicate"
    threshold: float = Field(0.8, gt=0, le=1)
    """Least Jaccard of two texts that are near. Two rows just at it are found with a chance of at least 0.99."""
    shingle: int = Field(3, ge=1)
    """Words in a shingle, for texts that have as many; characters where a script has no spaces."""
    template: float = Field(0.02, gt=0, le=1)
    """Share of the rows that a shingle stands in before it is template. Texts that are mostly template must also be
    near without it: it makes no two rows alike. 1: none is."""

    def bind(self, bindings: Bindings) -> First | Best:  # noqa: ARG002
        return self.remember(lambda: NearRows(self.threshold, self.shingle, self.template), "near")


class NearRows:
    """Rows of one kind, compared by their shingles without what is template among them.

    Judged as they come, the template is that of the rows before: looked at again whenever their number has doubled, so
    that neither rows at the end nor the size of batches change a verdict.
    """

    def __init__(self, threshold: float, shingle: int, template: float) -> None:
        self._keepers, self._frequencies = Keepers(threshold), Frequencies()
        self._shingle, self._template, self._next = shingle, template, LEAST

    def read(self, texts: Sequence[tuple[str, ...]]) -> Sets:
        return sketch(texts, self._shingle)

    def follow(self, sets: Sets) -> list[Near | None]:
        near: list[Near | None] = []
        while len(near) < len(sets):
            if self._frequencies.rows == self._next:
                self._keepers.forget(self._frequencies.template(self._template))
                self._next *= 2
            part = sets.slice(len(near), len(near) + self._next - self._frequencies.rows)
            near += self._keepers.judge(part)
            self._frequencies.add(part)
        return near

    def survey(self, sets: Sets) -> None:
        self._frequencies.add(sets)

    def judge(self, sets: Sets) -> list[Near | None]:
        self._keepers.forget(self._frequencies.template(self._template))
        return self._keepers.judge(sets)

    def join(self, sets: Sequence[Sets]) -> Sets:
        return join(sets)


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
            return Verdict(False, f"same_{what(row.kind, self._on)}", 1.0, self._keepers[key])
        self._keepers[key] = row.id
        return KEEP


def canon(text: str) -> str:
    """Case folded, one space between words, no punctuation around: gentler than `normalise`, for "2+2" is not "2-2"."""
    folded = " ".join(unicodedata.normalize("NFC", text).casefold().split())
    return folded.strip(" .,;:!?…\"'“”‘’") or folded
