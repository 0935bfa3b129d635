"""real rows that nobody learns from -> their mean loss, the same for any number of processes.

The rows are put into passes once, by their lengths alone. Each process makes every n-th pass, all learn all sums, and
these are added up in one order: so the value is the same however many share the work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.context import Ranks
from distill.train.forward import row_losses

if TYPE_CHECKING:
    from datasets import Dataset

PASS = 2048
"""Tokens in a pass, padding included."""


@dataclass(frozen=True)
class Validation:
    table: Dataset
    """A row each, with `length`, `learnt`, `input_ids` and `labels`."""
    passes: Sequence[Sequence[int]]
    """Rows that go through the model together."""

    def __len__(self) -> int:
        return sum(map(len, self.passes))

    def loss(self, model: Any, dtype: str, ranks: Ranks) -> float:
        """Mean in nats per learnt token. All processes call it together."""
        mine: list[tuple[int, list[float]]] = []
        for turn in range(math.ceil(len(self.passes) / ranks.world)):
            number = ranks.rank + turn * ranks.world
            # A process without a pass of its own makes the last one too: sharded weights are brought together by all.
            rows = self.table.select(self.passes[min(number, len(self.passes) - 1)])
            losses = row_losses(model, rows.to_list(), dtype)
            mine += [(number, losses)] if number < len(self.passes) else []
        sums = sorted(ranks.gather(mine))
        learnt: int = sum(self.table.select([row for one in self.passes for row in one])["learnt"])
        return math.fsum(loss for _, losses in sums for loss in losses) / learnt


def read(path: Path, max_length: int) -> Validation | None:
    """The validation rows that fit; None where there are none."""
    from datasets import Dataset

    if not path.exists():
        return None
    table = Dataset.from_file(str(path))
    lengths = list(table["length"])
    fits = [row for row, learnt in enumerate(table["learnt"]) if learnt and lengths[row] <= max_length]
    return Validation(table, plan(lengths, fits)) if fits else None


def plan(lengths: Sequence[int], rows: Sequence[int]) -> list[list[int]]:
    """Rows of like length together, as many as PASS tokens hold; the longest first."""
    passes: list[list[int]] = []
    for row in sorted(rows, key=lambda row: (-lengths[row], row)):
        if not passes or (len(passes[-1]) + 1) * lengths[passes[-1][0]] > PASS:
            passes.append([])
        passes[-1].append(row)
    return passes
