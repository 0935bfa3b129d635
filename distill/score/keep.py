"""(T, V) logits of one row -> what is kept of them. It knows nothing of models and files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from distill.errors import EngineError
from distill.soft_targets import Keep, Sampled, SoftTargets, TopK, id_type

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

CHUNK = 512
"""Positions whose whole vocabulary is in float32 at a time."""
FINE = 64
"""Positions whose whole vocabulary is summed up in float64 at a time."""


def keep(row: str, logits: Tensor, how: Keep, temperature: float) -> SoftTargets:
    """What is kept of a row.

    Raises:
        EngineError: a logit that is not a number; names the row.
    """
    found = top_k(logits, how, temperature) if isinstance(how, TopK) else sampled(row, logits, how, temperature)
    import numpy as np

    if not np.isfinite(found.logprobs).all() or (found.tail is not None and np.isnan(found.tail).any()):
        raise EngineError(
            "the teacher's output is not a number",
            where=f"row {row}",
            hint="use teacher.engine.dtype: bfloat16 or float32, or drop the row by a filter",
        )
    return found


def top_k(logits: Tensor, how: TopK, temperature: float) -> SoftTargets:
    """The likeliest tokens of every position, and what all others have together."""
    import torch

    parts = []
    for some in torch.split(logits, CHUNK):
        logprobs = torch.log_softmax(some.float() / temperature, dim=-1)
        values, ids = logprobs.topk(min(how.k, logits.shape[1]), dim=-1)
        # Added up from the small ones themselves: one minus the large ones would lose them.
        tail = logprobs.scatter_(1, ids, -torch.inf).logsumexp(-1)
        parts.append((ids.flatten(), values.flatten(), tail))
    likeliest, theirs, others = (_numpy(torch.cat(part)) for part in zip(*parts, strict=True))
    kind = id_type(logits.shape[1])
    return SoftTargets(likeliest.astype(kind), theirs.astype(how.dtype), tail=others.astype(how.dtype))


def sampled(row: str, logits: Tensor, how: Sampled, temperature: float) -> SoftTargets:
    """Draws from the distribution of every position, with noise from the row and the position alone."""
    import numpy as np
    import torch

    seed = int.from_bytes(hashlib.blake2b(row.encode(), digest_size=8).digest(), "big")
    noise = torch.from_numpy(np.random.Generator(np.random.Philox(seed)).random((len(logits), how.n)))
    size = logits.shape[1]
    drawn, parts = [], []
    for some, each in zip(torch.split(logits, FINE), torch.split(noise.to(logits.device), FINE), strict=True):
        logprobs = torch.log_softmax(some.float() / temperature, dim=-1)
        up_to = logprobs.double().exp_().cumsum(-1)
        ids = torch.searchsorted(up_to, each * up_to[:, -1:], right=True).clamp_(max=size - 1)
        drawn.append(ids)
        parts.append(logprobs.gather(1, ids))
    flat = np.arange(len(logits))[:, None] * size + _numpy(torch.cat(drawn))
    values = _numpy(torch.cat(parts))
    tokens, first, counts = np.unique(flat, return_index=True, return_counts=True)
    return SoftTargets(
        (tokens % size).astype(id_type(size)),
        values.flatten()[first].astype(how.dtype),
        counts=counts.astype("uint8"),
        kept=np.bincount(tokens // size, minlength=len(logits)).astype("uint8"),
    )


def _numpy(tensor: Tensor) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = tensor.cpu().numpy()
    return found
