"""tokens of all rows -> those that one training learns from, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from distill.errors import TrainError
from distill.train.order import BLANK

if TYPE_CHECKING:
    from datasets import Dataset

NAMED = 5
"""Rows that an error names before it only counts."""


@dataclass(frozen=True)
class TrainingData:
    """Rows as tokens, read by memory map."""

    table: Dataset
    """A row each, with `id`, `length`, `learnt` (but where the student writes itself) and what the objective reads besides."""
    too_long: int
    """Rows left out because they were longer than the limit."""

    def __len__(self) -> int:
        return len(self.table)

    @property
    def ids(self) -> list[str]:
        return list(self.table["id"])

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return list(self.table["length"])

    @property
    def learnt(self) -> list[int]:
        """Tokens of each row that the loss is taken over."""
        return list(self.table["learnt"]) if self._taught else [0] * len(self)

    def learnt_of(self, rows: Sequence[int]) -> int:
        """Tokens of some rows that the loss is taken over."""
        return sum(self.table.select(rows)["learnt"]) if self._taught else 0

    @property
    def _taught(self) -> bool:
        return "learnt" in self.table.column_names


def read(path: Path, max_length: int, too_long: Literal["error", "drop"]) -> TrainingData:
    """The rows of a file of tokens that fit.

    Raises:
        TrainError: no rows, or rows longer than `max_length` tokens where that is an error.
    """
    from datasets import Dataset

    return fitting(Dataset.from_file(str(path)), "length", max_length, too_long, path)


def fitting(
    table: Dataset, column: str, max_length: int, too_long: Literal["error", "drop"], path: Path, besides: int = 0
) -> TrainingData:
    """The rows of a table that fit.

    Args:
        column: what must fit.
        path: of the table's file, for errors.
        besides: tokens that each row needs room for besides.

    Raises:
        TrainError: see `read`.
    """
    lengths = [length + besides for length in table[column]]
    fits = [place for place, length in enumerate(lengths) if length <= max_length]
    long = [place for place, length in enumerate(lengths) if length > max_length]
    if long and too_long == "error":
        _refuse([(table[place]["id"], lengths[place]) for place in long], max_length)
    if not fits:
        raise TrainError(
            f"no row is left to learn from: {len(lengths)} rows, of which {len(long)} are longer than {max_length} tokens",
            where=str(path),
            hint="raise train.max_length" if long else "look at the mix stage: it wrote no rows",
        )
    return TrainingData(table.select(fits) if long else table, len(long))


def in_order(data: TrainingData, steps: Sequence[Sequence[int]], blank: dict[str, Any]) -> Dataset:
    """The rows of all steps, one step after the other, with the columns that `blank` has.

    Args:
        blank: the row that fills places without one.
    """
    from datasets import Dataset, concatenate_datasets

    columns = data.table.select_columns(list(blank))
    filler = Dataset.from_list([blank], features=columns.features)
    whole = concatenate_datasets([columns, filler])
    last = len(data)
    return whole.select([last if row == BLANK else row for step in steps for row in step])


def _refuse(long: Sequence[tuple[str, int]], max_length: int) -> None:
    named = ", ".join(f"{name} ({length})" for name, length in long[:NAMED])
    more = f" and {len(long) - NAMED} more" if len(long) > NAMED else ""
    raise TrainError(
        f"{len(long)} rows are longer than {max_length} tokens: {named}{more}",
        where="train.max_length",
        hint=f"set it to {max(length for _, length in long)} or more, filter by length, or set train.too_long: drop",
    )
