"""What all filters have in common: what they are given when a run begins, and how a spec becomes a filter.

    spec (what the recipe says) -> spec.bind(bindings) -> filter (judges rows)

A filter that looks at one row and nothing else is its own spec. One that needs the student's tokenizer, the evaluated
rows, a model or a memory of the rows before is another object, made by `bind`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import ClassVar, Self

from distill.filter.opener import Opener
from distill.protocols import Filter, Scope, Verdict
from distill.rows import Frozen, Row

ANY = "*"
"""Stands for all methods, where rows of a file are judged: who has a file asks for so many of its rows."""

__all__ = ["ANY", "Bindings", "FilterSpec", "RowFilter", "Scope", "installed", "shorten"]


@dataclass(frozen=True)
class Bindings:
    """What is known only when a run begins."""

    tokenizer_file: Path | None = None
    """`tokenizer.json` of the student; None where no filter counts tokens."""
    evaluated: Sequence[Row] = ()
    """Every row that anything is evaluated on, prompts included."""
    rows: Mapping[str, int] = field(default_factory=dict)
    """Rows that are kept in the end, by method; or under `ANY` alone, of all methods together."""
    open: Opener = field(default_factory=Opener)
    """Models, data files and kept scores."""

    def counted(self, row: Row) -> str:
        """Under which name of `rows` a row counts."""
        return ANY if ANY in self.rows else row.provenance.method


class FilterSpec(Frozen):
    """A filter as a recipe names it."""

    kind: str
    judges_real: ClassVar[bool] = False
    """Whether real training rows are judged too, not only what the teacher wrote."""
    FIRST: ClassVar[bool] = False
    """It judges before all others, wherever the recipe names it: what they drop or quote is written."""
    COSTLY: ClassVar[bool] = False
    """It asks a model: never for what other filters would drop anyway."""
    AUDITED: ClassVar[bool] = True
    """Whether it is asked about rows that are dropped already, for the ledger's `overlap`. One that is `COSTLY`, or does
    not judge a row alone, never is."""
    CHOOSES: ClassVar[bool] = False
    """It chooses among accepted rows as many as are asked for: what it leaves is not made up for."""

    @property
    def candidates(self) -> float:
        """Accepted rows for each that is kept, where it chooses."""
        return 1.0

    @property
    def scope(self) -> Scope:
        return "row"

    @property
    def label(self) -> str:
        """Name of its score in the rows that it keeps."""
        return self.kind

    @property
    def models(self) -> tuple[str, ...]:
        """References of the models that it loads itself."""
        return ()

    @property
    def data(self) -> tuple[str, ...]:
        """References of the data that it reads."""
        return ()

    @property
    def believes(self) -> tuple[str, ...]:
        """Names of the scores that it goes by, which something before it must have given."""
        return ()

    @property
    def asks(self) -> tuple[str, ...]:
        """Names of the recipe's teachers that it asks."""
        return ()

    @property
    def texts(self) -> dict[str, str]:
        """Text of its prompt files by name: part of the key of what it keeps."""
        return {}

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the packages whose verdicts are its own (`installed`): part of the key of what it keeps."""
        return {}

    @property
    def note(self) -> str:
        """What the report must say where it is in use; most often nothing."""
        return ""

    @abstractmethod
    def bind(self, bindings: Bindings) -> Filter:
        """The filter itself. One that is not of scope `row` starts with an empty memory: it is bound anew for every
        pass."""


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


def installed(*packages: str) -> dict[str, str]:
    """The version of each package, empty where it is not there; none is imported."""
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # whoever needs it says so when it is bound
            versions[package] = ""
    return versions


def shorten(text: str, most: int = 160) -> str:
    """The beginning of a text on one line, for evidence and messages."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most and len(text) <= 4 * most else line[:most].rstrip() + " …"
