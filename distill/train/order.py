"""number of rows, batch size, seed -> which rows each optimizer step learns from, decided before any process starts.

The plan knows nothing of processes: however many share a step, the step is the same rows. A run's last step is filled
up with BLANK, which has nothing to learn, so that every step has the same number of places.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from distill.errors import TrainError
from distill.rows import digest

BLANK = -1
"""A place in a step that no row fills."""


@dataclass(frozen=True)
class Split:
    """How a step is shared out: per_device x accumulation x processes = batch size."""

    per_device: int
    accumulation: int


def plan(
    lengths: Sequence[int], batch_size: int, epochs: float, max_steps: int | None, seed: int, whole: bool = False
) -> list[list[int]]:
    """The rows of each step, by their place in the data; `batch_size` places a step.

    An epoch is every row once, in an order drawn from the seed and the epoch; the next one begins where it ends, in the
    middle of a step if need be. Within a step the longest come first: neighbours in a forward pass are then alike
    in length, little is padding, and what does not fit in memory fails at once.

    Args:
        lengths: tokens of each row.
        max_steps: steps, instead of epochs.
        whole: fill the last step with rows of the next epoch and not with BLANK.
    """
    rows = max_steps * batch_size if max_steps else math.ceil(epochs * len(lengths))
    rows += -rows % batch_size if whole else 0
    stream = _epochs(len(lengths), seed)
    order = [next(stream) for _ in range(rows)]
    steps = []
    for start in range(0, rows, batch_size):
        step = sorted(order[start : start + batch_size], key=lambda row: (-lengths[row], row))
        steps.append(step + [BLANK] * (batch_size - len(step)))
    return steps


def match(
    lengths: Sequence[int], learnt: Sequence[int], wanted: Sequence[int], batch_size: int, seed: int
) -> list[list[int]]:
    """The rows of each step such that it has about as many learnt tokens as another training's: as many rows as come
    nearest to all that was wanted so far, at least one.

    Every step has the same number of places, a multiple of the batch size, so that whatever processes share a step of the
    other training can share one of this; most are BLANK where rows are longer than the other's.

    Args:
        lengths: tokens of each row.
        learnt: those of them that are learnt.
        wanted: learnt tokens of each step of the other training.

    Raises:
        TrainError: the rows have nothing to learn.
    """
    if not any(learnt):
        raise TrainError("no row has a token to learn", where="train.jsonl", hint="look at the rows of the mix")
    stream = _epochs(len(lengths), seed)
    row, steps, missing = next(stream), [], 0.0
    for tokens in wanted:
        missing += tokens
        step: list[int] = []
        while not step or missing > learnt[row] / 2:
            step.append(row)
            missing -= learnt[row]
            row = next(stream)
        steps.append(sorted(step, key=lambda row: (-lengths[row], row)))
    places = max(map(len, steps))
    places += -places % batch_size
    return [step + [BLANK] * (places - len(step)) for step in steps]


def share(batch_size: int, per_device: int, world: int) -> Split:
    """The most rows a process can take at once, up to `per_device`, such that all steps are whole.

    Raises:
        TrainError: the processes cannot share a step evenly.
    """
    if batch_size % world:
        raise TrainError(
            f"{world} processes cannot share steps of {batch_size} rows evenly",
            where="train.batch_size",
            hint=f"use a multiple of {world}, such as {math.ceil(batch_size / world) * world}, or other processes",
        )
    each = batch_size // world
    fits = max(size for size in range(1, min(per_device, each) + 1) if each % size == 0)
    return Split(fits, each // fits)


def rate(step: int, steps: int, warmup: int, scheduler: str) -> float:
    """Share of the learning rate that a step uses, counted from 0: up over the warm-up, then down by the scheduler."""
    if step < warmup:
        # Never zero, so that no step is wasted.
        return (step + 1) / (warmup + 1)
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    if scheduler == "linear":
        return 1 - done
    return 0.5 * (1 + math.cos(math.pi * done)) if scheduler == "cosine" else 1.0


def _epochs(rows: int, seed: int) -> Iterator[int]:
    epoch = 0
    while True:
        yield from sorted(range(rows), key=lambda row: digest([seed, epoch, row]))
        epoch += 1
