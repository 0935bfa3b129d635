"""rows of every step -> forward passes in which rows lie one after the other, without padding.

Which rows a step learns from is decided before (`order.plan`); how they lie in memory is a matter of speed. A pass is
its rows end to end, positions that begin again with each of them, and `cu_seq_lens_q`, the places where they end; the
model must attend to each row alone (`attention.apart`).
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import accumulate, chain, count
from typing import TYPE_CHECKING, Any

from distill.engines.template import IGNORE

if TYPE_CHECKING:
    from datasets import Dataset


def plan(lengths: Sequence[int], batch_size: int, world: int, most: int) -> list[list[int]]:
    """The rows of each pass. Every step has the same number of passes, as few as do, a multiple of the processes.

    Args:
        lengths: tokens of each row, those of all steps one after the other, `batch_size` a step.
        world: processes that take turns: the first pass is the first one's, the second the second one's.
        most: tokens of a pass, unless a single row has more.
    """
    steps = [range(start, start + batch_size) for start in range(0, len(lengths), batch_size)]
    for each in count(1):
        shared = [_share(step, lengths, each * world) for step in steps]
        passes = list(chain.from_iterable(shared))
        if each * world >= batch_size or all(
            len(one) == 1 or sum(lengths[row] for row in one) <= most for one in passes
        ):
            return passes
    raise AssertionError  # count() does not end


def _share(rows: Sequence[int], lengths: Sequence[int], parts: int) -> list[list[int]]:
    """Parts of about as many tokens each, the largest first: each row, the longest first, to the part that has least."""
    heap: list[tuple[int, int, list[int]]] = [(0, part, []) for part in range(parts)]
    for row in sorted(rows, key=lambda row: (-lengths[row], row)):
        tokens, part, held = heap[0]
        heapq.heapreplace(heap, (tokens + lengths[row], part, [*held, row]))
    return [held for _, _, held in sorted(heap, key=lambda one: (-one[0], one[1]))]


def dataset(rows: Dataset, passes: Sequence[Sequence[int]]) -> Dataset:
    """A record for each pass, put together when it is read.

    Args:
        rows: of which every column is handed on.
        passes: `plan`.
    """
    from datasets import Dataset

    def read(asked: dict[str, list[list[int]]]) -> dict[str, list[Any]]:
        found = [rows[one] for one in asked["rows"]]
        return {name: [one[name] for one in found] for name in rows.column_names}

    return Dataset.from_dict({"rows": list(passes)}).with_transform(read)


def collate(passes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One pass as a model reads it. Nothing is learnt at a row's first token: the one before it is of another row."""
    import torch

    (one,) = passes
    lengths = [len(ids) for ids in one["input_ids"]]
    ends = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32)
    labels = [label for row in one["labels"] for label in (IGNORE, *row[1:])]
    longest = max(lengths)
    return {
        "input_ids": torch.tensor([list(chain.from_iterable(one["input_ids"]))]),
        "labels": torch.tensor([labels]),
        "position_ids": torch.cat([torch.arange(length) for length in lengths])[None],
        "cu_seq_lens_q": ends,
        "cu_seq_lens_k": ends,
        "max_length_q": longest,
        "max_length_k": longest,
    }
