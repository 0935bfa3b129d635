"""vectors that were taken -> the nearest of them to others, where one is near, without looking at all of them.

Taken vectors lie in cells, each around the centre that it is nearest to, and a vector is compared with those in the cells
whose centres are nearest to it. What is very near shares a cell nearly always (docs/filters/select.md says how often), and
with few cells all of them are looked into.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

PROBES = 16
"""Cells that a vector is compared with."""
FIRST = 16
"""Vectors that a cell has room for at first."""


@dataclass
class Cell:
    vectors: Vectors
    """(room, dim); as many of them are taken as there are names."""
    names: list[int] = field(default_factory=list)

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
        self._cells: dict[int, Cell] = {}

    def take(self, name: int, vector: Vectors) -> None:
        """Put one among the taken."""
        import numpy as np

        place = int((self._centres @ vector).argmax())
        cell = self._cells.setdefault(place, Cell(np.zeros((FIRST, len(vector)), np.float32)))
        if len(cell.names) == len(cell.vectors):
            cell.vectors = np.concatenate([cell.vectors, np.zeros_like(cell.vectors)])
        cell.vectors[len(cell.names)] = vector
        cell.names.append(name)

    def nearest(self, vectors: Vectors) -> tuple[Vectors, Sequence[int]]:
        """Of each vector the cosine to its nearest taken one, and that one's name, where it is near; else -1 twice. Of
        two that are as near, the one that was taken first."""
        import numpy as np

        best, names = np.full(len(vectors), -1, np.float32), np.full(len(vectors), -1, np.int64)
        probed = self._probed(vectors)
        for place, cell in self._cells.items():
            rows = np.flatnonzero(probed[:, place])
            if not len(rows):
                continue
            cosines = vectors[rows] @ cell.taken.T
            first = cosines.argmax(axis=1)
            found, of = cosines[np.arange(len(rows)), first], np.array(cell.names)[first]
            better = (found > best[rows]) & (found >= self._cosine)
            best[rows[better]], names[rows[better]] = found[better], of[better]
        return best, names.tolist()

    def _probed(self, vectors: Vectors) -> npt.NDArray[np.bool_]:
        """(vectors, centres): which cells each is compared with."""
        import numpy as np

        count = len(self._centres)
        probed = np.ones((len(vectors), count), np.bool_)
        if count > PROBES:
            nearness = vectors @ self._centres.T
            order = np.argpartition(-nearness, PROBES, axis=1)[:, :PROBES]
            probed[:] = False
            np.put_along_axis(probed, order, True, axis=1)
        return probed
