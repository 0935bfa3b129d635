"""A choice of as many rows as are asked for, by quality and coverage: the last filter of a chain.

Rows are gone through from the best to the worst, and one is chosen if no chosen one is too much like it (Liu et al. 2023,
"What makes good data for alignment?", arXiv:2312.15685). Where that leaves too few, the best of the rest fill up.

What is compared is question and answer together, by a sentence embedding. In memory are a float16 vector, an id and a score
of each row: about a kilobyte.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from distill.engines.embedding import PACKAGE
from distill.errors import SourceError
from distill.filter.bindings import ANY, Bindings, FilterSpec
from distill.filter.models.nearest import Near
from distill.protocols import Embedder, Scope, Verdict
from distill.rows import Row

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

BLOCK = 256
"""Rows that are compared with the chosen ones at once."""
MANY = 20_000
"""Rows up to which all are compared with all that are chosen: that takes seconds."""
NOT_CHOSEN = "not_chosen"


class Select(FilterSpec):
    """Keeps of each method as many rows as are asked for: the best that are not too much alike."""

    kind: Literal["select"] = "select"
    by: tuple[str, ...] = ()
    """Names of the scores that make a row good, as earlier filters (`judge`, `reward`, `difficulty`, …), the data or a
    method gave them. Without any all are equally good, and ids decide."""
    combine: Literal["product", "sum"] = "product"
    """How several scores become one. A product, as Deita has it, needs scores of no less than 0; a sum needs scores of
    like size."""
    embedder: str = PACKAGE
    """Reference of a sentence-transformers model."""
    max_similarity: float = Field(0.9, gt=-1, le=1)
    """Cosine to a chosen row from which on a row is passed over."""
    oversample: float = Field(2.0, ge=1)
    """Accepted rows that generation makes for each that is kept."""

    COSTLY: ClassVar[bool] = True
    CHOOSES: ClassVar[bool] = True

    @property
    def believes(self) -> tuple[str, ...]:
        return self.by

    @property
    def scope(self) -> Scope:
        return "pool"

    @property
    def models(self) -> tuple[str, ...]:
        return (self.embedder,)

    @property
    def candidates(self) -> float:
        return self.oversample

    def bind(self, bindings: Bindings) -> ByChoice:
        return ByChoice(self, bindings)


@dataclass
class Candidate:
    """A row as the choice sees it."""

    row: str
    """Its id."""
    method: str
    """Its method, or `ANY` where so many of all rows are chosen."""
    quality: float | None
    """None where the row lacks a score: after all that have one."""
    chosen: bool = False
    filled: bool = False
    """Chosen although it is much like another."""
    why: str = ""


class ByChoice:
    """The choice with its model. It remembers every row that it surveyed, in their order."""

    scope: Scope = "pool"

    def __init__(self, spec: Select, bindings: Bindings) -> None:
        self.kind, self._spec, self._bindings = spec.kind, spec, bindings
        self._rows = bindings.rows
        self._open = bindings.open
        self._candidates: list[Candidate] = []
        self._vectors: list[npt.NDArray[np.float16]] = []
        self._judged: Iterator[Candidate] | None = None

    def survey(self, rows: Sequence[Row]) -> None:
        import numpy as np

        self._candidates += [Candidate(row.id, self._bindings.counted(row), self._quality(row)) for row in rows]
        if rows:
            embedder: Embedder = self._open.embedder(self._spec.embedder)
            self._vectors.append(embedder.embed([f"{row.question}\n{row.answer}" for row in rows]).astype(np.float16))

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """The score is the quality. Evidence of a row that is not chosen is the chosen one that it is like, or its rank."""
        if self._judged is None:
            self._check()
            if self._candidates:
                self._choose()
            self._judged = iter(self._candidates)
        verdicts = []
        for row, one in zip(rows, self._judged, strict=False):
            assert row.id == one.row
            score = one.quality if self._spec.by else None
            verdicts.append(Verdict(True, score=score) if one.chosen else Verdict(False, NOT_CHOSEN, score, one.why))
        return verdicts

    def notes(self) -> list[str]:
        chosen = sum(one.chosen for one in self._candidates)
        filled = sum(one.filled for one in self._candidates)
        unscored = sum(one.chosen and one.quality is None for one in self._candidates)
        said = []
        if filled:
            limit = f"max_similarity {self._spec.max_similarity:g}"
            said.append(
                f"{filled} of {chosen} chosen rows are like another chosen one ({limit}): there were too few others; "
                "raise oversample"
            )
        if unscored:
            said.append(
                f"{unscored} of {chosen} chosen rows lack a score of {', '.join(self._spec.by)}: too few have one"
            )
        return said

    def _quality(self, row: Row) -> float | None:
        """The scores in one, rounded so that it does not hang on the order of adding.

        Raises:
            SourceError: a product of a negative score.
        """
        scores = [row.scores.get(name) for name in self._spec.by]
        there = [score for score in scores if score is not None and math.isfinite(score)]
        if len(there) < len(scores):
            return None
        if self._spec.combine == "sum":
            return round(math.fsum(there), 6)
        if len(there) > 1 and min(there) < 0:
            raise SourceError(
                f"a product of scores needs scores of no less than 0: {dict(zip(self._spec.by, there, strict=True))}",
                where=f"filter (select): row {row.id}",
                hint="write combine: sum",
            )
        return round(math.prod(there), 6)

    def _check(self) -> None:
        """Raise where no row at all has the scores: the names are wrong."""
        if self._spec.by and self._candidates and all(one.quality is None for one in self._candidates):
            raise SourceError(
                f"no row has the scores {', '.join(self._spec.by)}",
                where="filter (select): by",
                hint="name scores that filters before it give, such as judge, reward, perplexity or difficulty",
            )

    def _choose(self) -> None:
        """Mark what is chosen. It hangs on the rows alone, not on their order."""
        import numpy as np

        vectors = np.concatenate(self._vectors)
        ranked = sorted(range(len(vectors)), key=lambda place: self._place(self._candidates[place]))
        left = Counter(dict(self._rows))
        near = Near(_unit(vectors[_spread(ranked)]), self._spec.max_similarity)
        passed: list[int] = []
        for start in range(0, len(ranked), BLOCK):
            wanted = [place for place in ranked[start : start + BLOCK] if left[self._candidates[place].method] > 0]
            if wanted:
                passed += self._block(wanted, _unit(vectors[wanted]), near, left)
        for place in passed:
            one = self._candidates[place]
            if left[one.method] > 0:
                left[one.method] -= 1
                one.chosen = one.filled = True
        for rank, place in enumerate(ranked, 1):
            one = self._candidates[place]
            which = "all" if one.method == ANY else one.method
            one.why = one.why or f"rank {rank} of {len(ranked)}; {self._rows.get(one.method, 0)} of {which} are chosen"

    def _block(self, places: Sequence[int], vectors: Vectors, near: Near, left: Counter[str]) -> list[int]:
        """Go through the next rows; return those that are too much like a chosen one."""
        import numpy as np

        limit = self._spec.max_similarity
        cosines, names = near.nearest(vectors)
        within = vectors @ vectors.T
        passed, fresh = [], list[int]()
        for index, place in enumerate(places):
            one = self._candidates[place]
            if not left[one.method] > 0:
                continue
            cosine, like = float(cosines[index]), names[index]
            if fresh and float(within[index, fresh].max()) > cosine:
                closest = fresh[int(np.argmax(within[index, fresh]))]
                cosine, like = float(within[index, closest]), places[closest]
            if cosine >= limit:
                one.why = f"{self._candidates[like].row}: cosine {cosine:.3f}"
                passed.append(place)
                continue
            one.chosen = True
            left[one.method] -= 1
            near.take(place, vectors[index])
            fresh.append(index)
        return passed

    @staticmethod
    def _place(one: Candidate) -> tuple[bool, float, str]:
        """The best first; of equals the first id."""
        return one.quality is None, -(one.quality or 0.0), one.row


def _unit(vectors: npt.NDArray[np.float16]) -> Vectors:
    """float16 vectors at length 1 again."""
    import numpy as np

    wide = vectors.astype(np.float32)
    unit: Vectors = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return unit


def _spread(ranked: Sequence[int]) -> list[int]:
    """Some of them, evenly from the first to the last: the centres of cells. Few rows have one cell."""
    count = math.isqrt(len(ranked)) if len(ranked) > MANY else 1
    return [ranked[len(ranked) * number // count] for number in range(count)]
