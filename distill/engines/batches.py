"""lengths -> batches: from the list alone, so that every run and every number of processes forms the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def plan(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Requests of like length together, the longest first: what does not fit in memory shows at once.

    Args:
        lengths: tokens of each request, new ones included.
        batch_tokens: most tokens in a batch, padding included; a longer request is a batch of its own.

    Returns:
        Places in `lengths`, each in exactly one batch.
    """
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        # The first of a batch is its longest, so that its length is everybody's.
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= batch_tokens:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches


def share(items: Sequence[T], rank: int, world: int) -> list[T]:
    """The items of one process: every world-th, so that all get long ones and short ones."""
    return list(items[rank::world])
