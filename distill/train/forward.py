"""rows as tokens -> the next-token loss of each, without learning from it: for validation, and to find a row at fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from distill.engines.scoring import CHUNK, foretold

if TYPE_CHECKING:
    from torch import Tensor


def row_losses(model: Any, rows: Sequence[Mapping[str, Any]], dtype: str) -> list[float]:
    """Nats of every row, summed over its learnt tokens, in one pass; the model is left as it was.

    Args:
        rows: each with `input_ids` and `labels`.
        dtype: of the training, as whose autocast the pass is made.
    """
    import torch

    with _at_rest(model, dtype):
        logits, learnt, counts = foretold(model, [(row["input_ids"], row["labels"]) for row in rows])
    return [float(part.double().sum()) for part in torch.split(_nats(logits, learnt).cpu(), counts)]


def _nats(logits: Tensor, targets: Tensor) -> Tensor:
    """(N, V) logits and (N,) targets -> (N,) negative log-likelihoods, float32."""
    import torch

    parts = zip(torch.split(logits, CHUNK), torch.split(targets, CHUNK), strict=True)
    return torch.cat(
        [torch.nn.functional.cross_entropy(some.float(), wanted, reduction="none") for some, wanted in parts]
    )


@contextmanager
def _at_rest(model: Any, dtype: str) -> Iterator[None]:
    """Inside nothing is learnt: no gradients, no dropout; the precision is the training's."""
    import torch

    learning = model.training
    precision = torch.autocast(model.device.type, getattr(torch, dtype)) if dtype != "float32" else nullcontext()
    model.eval()
    try:
        with torch.no_grad(), precision:
            yield
    finally:
        model.train(learning)
