"""rows of token ids -> packs in which what several rows begin with lies once: a system message, a question with two answers.

    rows             a b c d        pack     a b c d e f      a row is a path through it
                     a b e f        parent   - 0 1 2 1 4
                                    place    0 1 2 3 2 3

It knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass
class Pack:
    """Some rows as one sequence of tokens."""

    rows: list[int] = field(default_factory=list)
    """Places in the list that was packed."""
    paths: list[list[int]] = field(default_factory=list)
    """Of each row, where its tokens lie in the pack."""
    ids: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    """Of each token the one before it in its row, -1 for a first one."""
    places: list[int] = field(default_factory=list)
    """Of each token, how many come before it in its row."""

    def add(self, row: int, ids: Sequence[int], shared: int) -> None:
        """Put a row in, of which so many tokens are those that the last one begins with."""
        path = self.paths[-1][:shared] if shared else []
        for token in ids[shared:]:
            self.parents.append(path[-1] if path else -1)
            self.places.append(len(path))
            path.append(len(self.ids))
            self.ids.append(token)
        self.rows.append(row)
        self.paths.append(path)

    def seen(self) -> npt.NDArray[np.bool_]:
        """(T, T): which tokens each one sees, those before it in its row and itself."""
        import numpy as np

        mask = np.eye(len(self.ids), dtype=bool)
        for token, parent in enumerate(self.parents):
            if parent >= 0:
                mask[token] |= mask[parent]
        return mask


def pack(rows: Sequence[Sequence[int]], most: int) -> list[Pack]:
    """Each row in exactly one pack of at most so many tokens; a longer row is a pack of its own.

    From the list alone: every process forms the same packs.
    """
    packs: list[Pack] = []
    before: Sequence[int] = ()
    # Rows that begin alike lie side by side, and none has more in common with another than with its neighbour.
    for row in sorted(range(len(rows)), key=lambda place: (list(rows[place]), place)):
        ids = rows[row]
        shared = _common(before, ids) if packs else 0
        if not packs or len(packs[-1].ids) + len(ids) - shared > most:
            packs.append(Pack())
            shared = 0
        packs[-1].add(row, ids, shared)
        before = ids
    return packs


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Tokens that both begin with."""
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length
