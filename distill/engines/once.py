"""items -> their records, each worked out once by one rank and kept: what scores, vectors and verdicts of a model share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from distill.context import Ranks
from distill.engines.journal import Journal

T = TypeVar("T")
Record = dict[str, Any]
FAILED = "error"
"""Field of a record that came to nothing: it is handed out and not kept, so that it is tried again."""


def once(
    journal: Journal, ranks: Ranks, items: Mapping[str, T], make: Callable[[dict[str, T]], Iterable[Record]]
) -> dict[str, Record]:
    """The record of every item by its key, on every rank. All ranks give the same items.

    Args:
        make: records of this rank's share of the items that have none yet, as each is done, with `key` in it. All ranks
            are given the same, in one order.
    """
    journal.refresh()
    # What one rank finds on a slow shared disk another may not: all must share out the same.
    missing = sorted(set(ranks.gather([key for key in items if key not in journal.known()])))
    mine: dict[str, Record] = {}
    if missing:
        for record in make({key: items[key] for key in missing}):
            mine[record["key"]] = record
            if FAILED not in record and record["key"] not in journal.known():
                journal.write(record)
    found = dict(ranks.gather(list(mine.items())))
    return {key: found[key] if key in found else _kept(journal, key) for key in items}


def _kept(journal: Journal, key: str) -> Record:
    record = journal.read(key)
    assert record is not None, key
    return record
