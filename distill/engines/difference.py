"""two models that should be one -> how far apart they are, by their logits on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.engines.scoring import only_at
from distill.engines.template import IGNORE, Encoded

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

POSITIONS = 64
"""Of a row, at most: their logits over the whole vocabulary are in memory together."""


@dataclass(frozen=True)
class Difference:
    rows: int
    tokens: int
    """Positions that were compared."""
    max_abs: float
    mean_abs: float
    """Of the logits, over the vocabulary."""
    kl: float
    """From the first model's next token to the second's, in nats, the mean over positions."""
    agreement: float
    """Share of positions at which both think the same token the likeliest."""


def logits(model: PreTrainedModel, rows: Sequence[Encoded]) -> list[Tensor]:
    """Where each row's learnt tokens are foretold, (N, V) in float32, on the processor."""
    import torch

    found = []
    for row in rows:
        ids = torch.tensor([row.ids], device=model.device)
        places = [place - 1 for place, label in enumerate(row.labels) if label != IGNORE and place]
        wanted = torch.zeros_like(ids, dtype=torch.bool)
        wanted[0, places[:POSITIONS]] = True
        with torch.inference_mode(), only_at(model, wanted):
            found.append(model(input_ids=ids, use_cache=False).logits[0].float().cpu())
    return found


def difference(own: Sequence[Tensor], theirs: Sequence[Tensor]) -> Difference:
    """How far the logits of the second model are from those of the first."""
    import torch

    first, second = torch.cat(list(own)), torch.cat(list(theirs))
    apart = (first - second).abs()
    kl = torch.nn.functional.kl_div(
        second.log_softmax(-1), first.log_softmax(-1), log_target=True, reduction="batchmean"
    )
    same = (first.argmax(-1) == second.argmax(-1)).float().mean()
    return Difference(len(own), len(first), float(apart.max()), float(apart.mean()), max(0.0, float(kl)), float(same))
