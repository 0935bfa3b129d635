"""vectors that were taken -> the nearest of them to others, where one is near: exact, without looking at most of them.

Taken vectors lie in cells around centres. By the triangle inequality of angles a cell can be passed over whose centre is
further away than the angle that counts and the cell's own radius together: with sentence embeddings, most of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

CENTRES = 512
"""Most cells."""
SLACK = 1e-3
"""Radians that are added to every bound: float32 is not exact."""
FIRST = 16
"""Vectors that a cell has room for at first."""


@dataclass
class Cell:
    vectors: Vectors
    """(room, dim); of which `count` are taken."""
    names: list[int] = field(default_factory=list)
    radius: float = 0.0

    @property
    def taken(self) -> Vectors:
        return self.vectors[: len(self.names)]


class Near:
    """The taken vectors, by cells.

    Args:
        centres: (n, dim) of length 1, such as some of what there is.
        cosine: from which on two are near.
    """

    def __init__(self, centres: Vectors, cosine: float) -> None:
        self._centres, self._cosine = centres, cosine
        self._angle = math.acos(max(-1.0, min(1.0, cosine))) + SLACK
        self._cells: dict[int, Cell] = {}

    def take(self, name: int, vector: Vectors) -> None:
        """Put one among the taken."""
        import numpy as np

        cosines = self._centres @ vector
        place = int(cosines.argmax())
        cell = self._cells.setdefault(place, Cell(np.zeros((FIRST, len(vector)), np.float32)))
        if len(cell.names) == len(cell.vectors):
            cell.vectors = np.concatenate([cell.vectors, np.zeros_like(cell.vectors)])
        cell.vectors[len(cell.names)] = vector
        cell.names.append(name)
        cell.radius = max(cell.radius, math.acos(max(-1.0, min(1.0, float(cosines[place])))))

    def nearest(self, vectors: Vectors) -> tuple[Vectors, Sequence[int]]:
        """Of each vector the cosine to its nearest taken one, and that one's name, where it is near; else -1 twice. Of
        two that are as near, the one that was taken first."""
        import numpy as np

        best, names = np.full(len(vectors), -1, np.float32), np.full(len(vectors), -1, np.int64)
        angles = np.arccos(np.clip(vectors @ self._centres.T, -1, 1))
        for place, cell in self._cells.items():
            rows = np.flatnonzero(angles[:, place] <= self._angle + cell.radius)
            if not len(rows):
                continue
            cosines = vectors[rows] @ cell.taken.T
            first = cosines.argmax(axis=1)
            found, of = cosines[np.arange(len(rows)), first], np.array(cell.names)[first]
            better = (found > best[rows]) | ((found == best[rows]) & (of < names[rows]))
            better &= found >= self._cosine
            best[rows[better]], names[rows[better]] = found[better], of[better]
        return best, names.tolist()
