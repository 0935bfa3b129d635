"""a step that cannot be learnt -> which of its rows are at fault, each scored alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distill.train.data import NAMED
from distill.train.forward import row_losses

if TYPE_CHECKING:
    from datasets import Dataset


def healthy(model: Any) -> bool:
    """Whether every gradient of this process is a number."""
    import torch

    found = [weight.grad for weight in model.parameters() if weight.grad is not None]
    slopes = [slope.to_local() if hasattr(slope, "to_local") else slope for slope in found]
    return not slopes or bool(torch.stack([slope.sum().float() for slope in slopes]).isfinite().all())


def at_fault(model: Any, table: Dataset, rows: Sequence[int], dtype: str) -> str:
    """What rows say one by one, as words for the error. The model must still be as it was when they failed together."""
    rows = list(dict.fromkeys(rows))
    ids = table.select(rows)["id"]
    if not {"input_ids", "labels"} <= set(table.column_names):
        return f"the rows: {_named(list(ids))}"
    losses = [row_losses(model, [table[row]], dtype)[0] for row in rows]
    bad = [name for name, loss in zip(ids, losses, strict=True) if not math.isfinite(loss)]
    if len(bad) == len(rows) > 1:
        return f"every row gives no number by itself ({_named(bad)}): the weights are at fault"
    if bad:
        return f"of {len(rows)} rows these give no number by themselves: {_named(bad)}"
    return f"each of the {len(rows)} rows gives a number by itself ({_named(list(ids))}): the step was too large"


def _named(ids: Sequence[str]) -> str:
    return ", ".join(ids[:NAMED]) + (" …" if len(ids) > NAMED else "")
