"""What all filters have in common: what they are given when a run begins, and how a spec becomes a filter.

    spec (what the recipe says) -> spec.bind(bindings) -> filter (judges rows)

A filter that looks at one row and nothing else is its own spec. One that needs the student's tokenizer, the evaluated
rows or a memory of the rows before is another object, made by `bind`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Self

from distill.protocols import Filter, Verdict
from distill.rows import Frozen, Row

Scope = Literal["row", "set"]


@dataclass(frozen=True)
class Bindings:
    """What is known only when a run begins."""

    tokenizer_file: Path | None = None
    """`tokenizer.json` of the student; None where no filter counts tokens."""
    evaluated: Sequence[Row] = ()
    """Every row that anything is evaluated on, prompts included."""


class FilterSpec(Frozen):
    """A filter as a recipe names it."""

    kind: str
    scope: ClassVar[Scope] = "row"
    judges_real: ClassVar[bool] = False
    """Whether real training rows are judged too, not only what the teacher wrote."""

    @abstractmethod
    def bind(self, bindings: Bindings) -> Filter:
        """The filter itself. One of scope `set` starts with an empty memory: it is bound anew for every pass."""


class RowFilter(FilterSpec):
    """A filter that needs nothing but the row: the spec is the filter."""

    def bind(self, bindings: Bindings) -> Self:  # noqa: ARG002
        return self

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """Same length, same order."""
        return [self.verdict(row) for row in rows]

    @abstractmethod
    def verdict(self, row: Row) -> Verdict:
        """What the filter says of a row."""


def shorten(text: str, most: int = 160) -> str:
    """The beginning of a text on one line, for evidence and messages."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most and len(text) <= 4 * most else line[:most].rstrip() + " …"
