"""Whether and how the rows of a training are packed: the steps stay what they are, cut into passes by tokens and not by rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distill.context import Context
from distill.train import attention, passes

if TYPE_CHECKING:
    from datasets import Dataset

    from distill.train.learning import Learning

PASS_TOKENS, PASS_TOKENS_GPU = 2048, 8192
"""Most tokens of a packed pass when the recipe does not say: no more, and no more than padding could come to."""


def possible(model: Any, context: Context) -> bool:
    """Whether the recipe lets rows lie one after the other in a pass, and the model keeps them apart in every process."""
    if not context.runtime.packing:
        return False
    obstacles = [one for one in context.ranks.gather([attention.obstacle(model)]) if one]
    if obstacles:
        context.say(f"  train: rows are padded, since this model cannot keep them apart: {obstacles[0]}")
    return not obstacles


def pack(
    settings: dict[str, Any], rows: Dataset, learning: Learning, context: Context
) -> tuple[dict[str, Any], Dataset]:
    """The trainer's settings and dataset, for passes instead of rows.

    Args:
        rows: those of all steps one after the other, with `length`, `input_ids` and `labels`.
    """
    runtime, world = context.runtime, context.ranks.world
    usual = min(PASS_TOKENS if settings["use_cpu"] else PASS_TOKENS_GPU, runtime.per_device_batch * learning.max_length)
    planned = passes.plan(rows["length"], learning.batch_size, world, runtime.pass_tokens or usual)
    sizes = {
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": len(planned) // settings["max_steps"] // world,
        "remove_unused_columns": False,
    }
    return {**settings, **sizes}, passes.dataset(rows, planned)
