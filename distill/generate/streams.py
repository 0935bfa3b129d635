"""One stream of candidates with its quota: how many were asked and kept, and how many to ask next."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from distill.engines.spent import Spent
from distill.generate.method import Candidate

MARGIN = 1.1
"""Asked beyond what the yield so far calls for: a small last round costs as long as a large one."""
MANY = 10
"""Rows from which the margin is asked: a grid of hundreds of cells with two rows each would ask half of them for nothing."""
SMALL = 32
"""Candidates that say something about the yield."""


@dataclass
class Stream:
    """One method at work."""

    name: str
    """`method` of its rows."""
    quota: int
    """Rows that must be kept."""
    candidates: Iterator[Candidate]
    source: str = ""
    """What it starts from, for messages."""
    asked: int = 0
    kept: int = 0
    """Rows that the filters keep, as far as they were asked."""
    spent: Spent = Spent()
    exhausted: bool = False

    @property
    def family(self) -> str:
        """The method that it is a stream of: `grid` of `grid[language=Spanish]`."""
        return self.name.partition("[")[0]

    @property
    def need(self) -> int:
        return max(0, self.quota - self.kept)

    @property
    def likely(self) -> float:
        """The share of candidates that is kept, as far as is known."""
        return (self.kept + 0.5) / (self.asked + 0.5)

    def wanted(self) -> int:
        """Candidates to ask next: what is needed by the yield so far, and no more than was asked or is needed twice."""
        if self.exhausted or not self.need:
            return 0
        margin = MARGIN if self.need >= MANY else 1
        wanted = math.ceil(margin * self.need / self.likely)
        return min(wanted, max(SMALL, self.asked, 2 * self.need)) if self.asked else wanted

    def take(self, count: int) -> list[Candidate]:
        taken: list[Candidate] = []
        while len(taken) < count and not self.exhausted:
            candidate = next(self.candidates, None)
            if candidate is None:
                self.exhausted = True
            else:
                taken.append(candidate)
        return taken
