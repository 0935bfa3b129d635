"""A filter that finds rows which say the same in other words: sentence embeddings, compared by their cosine.

Keepers alone are compared with, as everywhere (see keeper.py), in products of bounded blocks: no matrix of all pairs,
and 2 bytes for each dimension of each keeper. It knows nothing of how a text becomes a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from distill.engines.embedding import PACKAGE
from distill.filter.bindings import Bindings
from distill.filter.duplicates.growing import Growing
from distill.filter.duplicates.keeper import Best, Comparing, First, Near
from distill.protocols import Embedder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float32]

BLOCK = 8192
"""Keepers that a batch is compared with at once."""
DIGITS = 4
"""Digits of a cosine: the last ones depend on the size of a batch, and must decide nothing."""


class SemanticDuplicate(Comparing):
    """Drops a row that says the same as one that is kept, as far as a sentence-transformers model can tell.

    Such a model tells topics and wordings well, numbers and negations badly: "2 + 2" is like "2 + 3" to it. With
    `pair`, question and answer must both be alike, each by itself.
    """

    kind: Literal["semantic_duplicate"] = "semantic_duplicate"
    COSTLY = True
    model: str = PACKAGE
    """Reference of a sentence-transformers model: `package:`, a folder or a hub id."""
    threshold: float = Field(0.95, gt=0, le=1)
    """Least cosine of two texts that are alike. It means another thing with every model."""

    @property
    def models(self) -> tuple[str, ...]:
        return (self.model,)

    def bind(self, bindings: Bindings) -> First | Best:
        return self.remember(lambda: Meanings(bindings.open.embedder(self.model), self.threshold), "alike")


class Vectors(NamedTuple):
    """(texts of a row, rows, dimensions) vectors of length 1."""

    of: npt.NDArray[np.float16]

    def __len__(self) -> int:
        return int(self.of.shape[1])

    def take(self, which: Any) -> Vectors:
        return Vectors(self.of[:, which])


class Meanings:
    """Rows of one kind, compared by the cosine of their vectors; of two texts the smaller one counts."""

    def __init__(self, embedder: Embedder, threshold: float) -> None:
        self._embedder, self._threshold = embedder, threshold
        self._kept: list[Growing] = []

    def read(self, texts: Sequence[tuple[str, ...]]) -> Vectors:
        import numpy as np

        parts = list(zip(*texts, strict=True))
        vectors = self._embedder.embed([text for part in parts for text in part])
        return Vectors(vectors.astype(np.float16).reshape(len(parts), len(texts), -1))

    def follow(self, vectors: Vectors) -> list[Near | None]:
        return self.judge(vectors)

    def survey(self, vectors: Vectors) -> None:
        """Nothing is learnt from all rows."""

    def join(self, vectors: Sequence[Vectors]) -> Vectors:
        import numpy as np

        return Vectors(np.concatenate([each.of for each in vectors], axis=1))

    def judge(self, vectors: Vectors) -> list[Near | None]:
        """The keeper most alike, the earliest of equals."""
        import numpy as np

        if not self._kept:
            self._kept = [Growing(part[:0]) for part in vectors.of]
        rows = vectors.of.astype(np.float32)
        keepers, alike = self._nearest(rows)
        near: list[Near | None] = [
            Near(keeper, value) if value >= self._threshold else None
            for keeper, value in zip(keepers.tolist(), alike.tolist(), strict=True)
        ]
        self._within(_rounded(_cosines(rows, rows)), near)
        kept = np.array([found is None for found in near])
        for held, part in zip(self._kept, vectors.of, strict=True):
            held.extend(part[kept])
        return near

    def _nearest(self, rows: Floats) -> tuple[Ints, npt.NDArray[np.float64]]:
        """(rows,) number and cosine of the nearest keeper of earlier batches; -1 where none is near enough."""
        import numpy as np

        best, alike = np.zeros(rows.shape[1], dtype=np.int64), np.full(rows.shape[1], -1.0)
        for start in range(0, len(self._kept[0]), BLOCK):
            block = np.stack([part.view[start : start + BLOCK] for part in self._kept]).astype(np.float32)
            cosines = _cosines(rows, block)
            hits = np.flatnonzero(cosines.max(axis=1) >= self._threshold - 10**-DIGITS)
            near = _rounded(cosines[hits])
            found = near.argmax(axis=1)
            value = near[np.arange(len(hits)), found]
            nearer = value > alike[hits]
            best[hits[nearer]], alike[hits[nearer]] = start + found[nearer], value[nearer]
        return best, alike

    def _within(self, cosines: npt.NDArray[np.float64], near: list[Near | None]) -> None:
        """The same with the rows of one batch, one after the other: only those that are kept count."""
        import numpy as np

        number, count = np.full(len(near), -1), len(self._kept[0])
        suspects: npt.NDArray[np.bool_] = np.any(np.tril(cosines, -1) >= self._threshold, axis=1)
        for row, found in enumerate(near):
            if suspects[row]:
                before = np.where(number[:row] >= 0, cosines[row, :row], -1)
                place = int(before.argmax())
                value = float(before[place])
                if value >= self._threshold and (found is None or value > found.alike):
                    near[row] = found = Near(int(number[place]), value)
            if found is None:
                number[row] = count
                count += 1


def _cosines(rows: Floats, others: Floats) -> Floats:
    """(rows, others), the smaller of both texts."""
    least: Floats = (rows @ others.transpose(0, 2, 1)).min(axis=0)
    return least


def _rounded(cosines: Floats) -> npt.NDArray[np.float64]:
    import numpy as np

    return cosines.astype(np.float64).round(DIGITS)
