"""What the filters that check an answer against a row's evidence have in common.

A row without the evidence is nobody's fault: it is kept unless `require` says otherwise. Which evidence decides what is
known in `verify_code`, `verify_math`, `verify_json` and `verify_passage`; none of them asks a model.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

from distill.filter.bindings import Bindings, FilterSpec
from distill.protocols import KEEP, Filter, Scope, Verdict
from distill.rows import Row


class Verified(FilterSpec):
    """A filter that needs evidence."""

    NEEDS: ClassVar[str]
    """Name of the evidence."""
    require: bool = False
    """Whether a row without the evidence is dropped (`missing_evidence`)."""

    def bind(self, bindings: Bindings) -> Filter:
        """Of several processes that share the rows each has its share of the processors."""
        return InThreads(self.kind, self.scope, self.verdict, max(1, processors() // bindings.open.context.ranks.world))

    def verdict(self, row: Row) -> Verdict:
        """What the filter says of a row."""
        if row.evidence.get(self.NEEDS, "").strip():
            return self.check(row)
        return Verdict(False, "missing_evidence", evidence=f"it has no {self.NEEDS}") if self.require else KEEP

    @abstractmethod
    def check(self, row: Row) -> Verdict:
        """The verdict on a row that has the evidence. Called from many threads."""


def processors() -> int:
    return os.cpu_count() or 1


@dataclass(frozen=True)
class InThreads:
    """A filter whose verdicts are mostly the work of other processes: as many at a time as there are processors."""

    kind: str
    scope: Scope
    verdict: Callable[[Row], Verdict]
    threads: int

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """Same length, same order."""
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(self.verdict, rows))
