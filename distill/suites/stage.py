"""suites with data of their own -> <label>.jsonl each: their items as they will be asked, before anything is trained.

    <label>.jsonl            rows
    <label>.metrics.json     what is measured of them, where that follows from the data

They are there first, so that training rows can be judged against them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from distill.context import Context
from distill.errors import SourceError
from distill.protocols import Noting, Summary
from distill.rows import Frozen, Row, to_json, write_rows
from distill.suites.kinds import AnySuite
from distill.suites.suite import LOADED, Suite

VERSION = 2
FEWEST = 2
"""Items that a mean with an interval needs."""


class Spec(Frozen):
    suites: tuple[AnySuite, ...]
    versions: dict[str, str] = {}
    """Of the packages that decide what is asked and measured."""

    @property
    def handed(self) -> Spec:
        """As far as it decides what is asked: names and order are those of files, and terms stand in provenance alone."""
        bare = (suite.loading.bare.model_copy(update={"name": None}) for suite in self.suites)
        return self.model_copy(update={"suites": tuple(sorted(bare, key=lambda suite: suite.model_dump_json()))})


def loaded(suites: tuple[Suite, ...]) -> tuple[Suite, ...]:
    """Those whose items this node reads, as far as they decide them."""
    return tuple(suite.loading for suite in suites if LOADED in suite.NEEDS)


def run(spec: Spec, _inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write the items of every suite; what is there twice once.

    Raises:
        SourceError: a suite without items, or data that cannot be read.
    """
    counts: dict[str, int] = {}
    notes: list[str] = []
    for suite in spec.suites:
        items: dict[str, Row] = {}
        read = 0
        loading = suite.load(context.resolved)
        for row in loading:
            read += 1
            items.setdefault(row.id, row)
        if len(items) < FEWEST:
            raise SourceError(
                f"{len(items) or 'no'} item to evaluate on, and a mean with an interval needs {FEWEST}",
                where=f"evaluate.suites: {suite.label}",
                hint="look at its data",
            )
        if isinstance(loading, Noting):
            notes += [f"{suite.label}: {note}" for note in loading.notes()]
        if read > len(items):
            notes.append(f"{suite.label}: {read - len(items)} of {read} items are there twice and are asked once")
        counts[suite.label] = len(items)
        metrics = suite.found(context.resolved)
        if context.ranks.main:
            write_rows(out / f"{suite.label}.jsonl", items.values())
            if not suite.KNOWN:
                about = {name: asdict(metric) for name, metric in metrics.items()}
                (out / f"{suite.label}.metrics.json").write_text(to_json(about, indent=1) + "\n", encoding="utf-8")
    return {"counts": {"items": sum(counts.values())}, "by_suite": counts, "notes": notes}
