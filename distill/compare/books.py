"""What became of the rows of each method and of each origin, as typed values of report.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from distill.compare.value import Value


class MethodBooks(Value):
    """The rows of one method, or of one of its cells; requested = kept + dropped + failed + missing."""

    requested: int
    kept: int
    dropped: int
    failed: int
    missing: int
    tokens: int
    """Read and written by models for its candidates."""
    money: float

    @property
    def share(self) -> float:
        """Of its candidates, those that were kept."""
        return self.kept / self.requested if self.requested else 0.0

    @property
    def tokens_per_row(self) -> float | None:
        """None where no row was kept."""
        return self.tokens / self.kept if self.kept else None


class OriginBooks(Value):
    """The rows of one data set or one teacher that were judged; rows = kept + dropped."""

    source: Literal["teacher", "real"]
    rows: int
    kept: int
    dropped: dict[str, int]
    """By `<filter>.<reason>`."""

    @property
    def share(self) -> float:
        """Of its rows, those that were kept: its yield."""
        return self.kept / self.rows if self.rows else 0.0


CELLS = 8
"""Cells of a method that are shown; `report.json` has all."""


def folded(books: Mapping[str, MethodBooks]) -> dict[str, MethodBooks]:
    """Every method, and of one with more than a few cells the sum and those of which least was kept."""
    families: dict[str, dict[str, MethodBooks]] = {}
    for name, one in books.items():
        families.setdefault(name.partition("[")[0], {})[name] = one
    shown: dict[str, MethodBooks] = {}
    for family, cells in families.items():
        if len(cells) <= CELLS:
            shown |= cells
            continue
        fields = MethodBooks.model_fields
        total = {field: sum(getattr(one, field) for one in cells.values()) for field in fields}
        shown[f"{family}, all {len(cells)} cells"] = MethodBooks.model_validate(total)
        lowest = sorted(cells, key=lambda name: cells[name].share)[:CELLS]
        shown |= {name: cells[name] for name in lowest}
    return shown
