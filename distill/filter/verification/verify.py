"""What the filters that check an answer against a row's evidence have in common.

A row without the evidence is nobody's fault: it is kept unless `require` says otherwise. Which evidence decides what is
known in `verify_code`, `verify_math`, `verify_json` and `verify_passage`; none of them asks a model.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from distill.context import Ranks
from distill.filter.bindings import Bindings, FilterSpec
from distill.protocols import KEEP, Filter, Scope, Verdict
from distill.rows import Row


class Verified(FilterSpec):
    """A filter that needs evidence."""

    AUDITED: ClassVar[bool] = False  # most of them run programs: not for a row that is gone
    NEEDS: ClassVar[str]
    """Name of the evidence."""
    require: bool = False
    """Whether a row without the evidence is dropped (`missing_evidence`)."""

    def bind(self, bindings: Bindings) -> Filter:
        """Of several processes that share the rows each has its share of the processors."""
        return InThreads(self, bindings.open.context.ranks)

    def verdict(self, row: Row) -> Verdict:
        """What the filter says of a row."""
        if self.has_evidence(row):
            return self.check(row)
        return Verdict(False, "missing_evidence", evidence=f"it has no {self.NEEDS}") if self.require else KEEP

    @property
    def needs(self) -> str:
        """Name of the evidence, in words."""
        return self.NEEDS.replace("_", " ")

    def has_evidence(self, row: Row) -> bool:
        """Whether there is something to check it by."""
        return bool(row.evidence.get(self.NEEDS, "").strip())

    @abstractmethod
    def check(self, row: Row) -> Verdict:
        """The verdict on a row that has the evidence. Called from many threads."""


def processors() -> int:
    return os.cpu_count() or 1


class InThreads:
    """A filter whose verdicts are mostly the work of other processes: as many at a time as there are processors."""

    scope: Scope = "row"

    def __init__(self, spec: Verified, ranks: Ranks) -> None:
        self.kind, self._spec, self._ranks = spec.kind, spec, ranks
        self.threads = max(1, processors() // ranks.world)
        self._rows = self._checked = 0

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """Same length, same order."""
        self._rows += len(rows)
        self._checked += sum(self._spec.has_evidence(row) for row in rows)
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(self._spec.verdict, rows))

    def notes(self) -> list[str]:
        """How many rows were let through unseen, for want of evidence: a filter that checks nothing drops nothing."""
        counts = self._ranks.gather([(self._rows, self._checked)])
        rows, checked = (sum(part) for part in zip(*counts, strict=True))
        self._rows = self._checked = 0
        if self._spec.require or rows == checked:
            return []
        which = "none" if not checked else f"{checked:,}"
        return [
            f"{which} of {rows:,} rows had a {self._spec.needs} to be checked by (`require: true` drops the others)"
        ]
