"""Ranks of one process: threads that meet where processes would."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from distill.context import Ranks

T = TypeVar("T")


@dataclass(frozen=True)
class Beside(Ranks):
    """One of several threads, each of which calls the same in the same order."""

    meeting: threading.Barrier = field(default_factory=lambda: threading.Barrier(1))
    table: list[Any] = field(default_factory=list)

    def barrier(self) -> None:
        self.meeting.wait(60)

    def gather(self, items: Sequence[T]) -> list[T]:
        self.table[self.rank] = list(items)
        self.meeting.wait(60)
        found = [item for part in self.table for item in part]
        self.meeting.wait(60)
        return found


def together(world: int, work: Callable[[Ranks], T]) -> list[T]:
    """What each rank returned, in their order."""
    meeting, table = threading.Barrier(world), [None] * world

    def one(rank: int) -> T:
        try:
            return work(Beside(rank, world, meeting, table))
        except BaseException:
            meeting.abort()
            raise

    with ThreadPoolExecutor(world) as pool:
        return list(pool.map(one, range(world)))
