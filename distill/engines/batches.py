"""lengths -> batches and lanes: from the list alone, so that every run and every number of processes forms the same ones.

plan    batches that are worked on as a whole: scores, prompts that are read together
lanes   what one process answers through one batch that is filled up again as answers end
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

LANE_BATCHES = 4
"""A lane holds about so many times what fits into a batch, so that its last, half empty batch costs little."""


def plan(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Requests of like length together, the longest first: what does not fit in memory shows at once.

    Args:
        lengths: tokens of each request.
        batch_tokens: most tokens in a batch, padding included; a longer request is a batch of its own.

    Returns:
        Places in `lengths`, each in exactly one batch.
    """
    batches: list[list[int]] = []
    for place in _longest_first(lengths):
        # The first of a batch is its longest, so that its length is everybody's.
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= batch_tokens:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches


def lanes(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Requests dealt into lanes of like work, each with its longest first.

    Long lanes keep batches full, many lanes keep many processes busy: their number is a power of two that grows with
    the root of the number of requests, or with their tokens where few requests fit into a batch. What one batch holds is
    one lane.

    Args:
        lengths: most tokens of each request, new ones included.
        batch_tokens: most tokens in a batch.

    Returns:
        Places in `lengths`, each in exactly one lane.
    """
    batches = sum(lengths) / batch_tokens
    wanted = max(min(math.sqrt(len(lengths)) / 8, batches), batches / LANE_BATCHES, 1)
    count = min(1 << round(math.log2(wanted)), len(lengths))
    order = _longest_first(lengths)
    return [order[first::count] for first in range(count)]


def share(items: Sequence[T], rank: int, world: int) -> list[T]:
    """The items of one process: every world-th, so that all get long ones and short ones."""
    return list(items[rank::world])


def _longest_first(lengths: Sequence[int]) -> list[int]:
    return sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
