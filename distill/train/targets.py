"""A teacher's kept distributions of some rows -> tensors that a loss is taken against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from distill.soft_targets import Keep, SoftTargets, TopK

if TYPE_CHECKING:
    from torch import Tensor


def batch(rows: Sequence[SoftTargets], how: Keep) -> dict[str, Tensor]:
    """The positions of all rows, one row after the other: N positions of up to K tokens.

    ids        (N, K) token ids
    logprobs   (N, K) under the teacher; -inf where a position has fewer tokens than K
    mass       (N, K) the teacher's probability, or its share of the draws
    tail       (N,)   log-probability of all others together; -inf where draws stand for the whole
    """
    import torch

    arrays = _likeliest(rows) if isinstance(how, TopK) else _drawn(rows, how.n)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _likeliest(rows: Sequence[SoftTargets]) -> dict[str, Any]:
    tail = _joined([row.tail for row in rows], np.float32)
    ids, logprobs = _joined([row.ids for row in rows], np.int64), _joined([row.logprobs for row in rows], np.float32)
    width = len(ids) // max(len(tail), 1)
    ids, logprobs = ids.reshape(len(tail), width), logprobs.reshape(len(tail), width)
    # Rounded to two bytes they add up to one only nearly, and a divergence might fall below zero.
    norm = np.logaddexp.reduce(np.concatenate([logprobs, tail[:, None]], axis=1), axis=1)
    logprobs, tail = logprobs - norm[:, None], tail - norm
    return {"ids": ids, "logprobs": logprobs, "mass": np.exp(logprobs), "tail": tail}


def _drawn(rows: Sequence[SoftTargets], draws: int) -> dict[str, Any]:
    kept = _joined([row.kept for row in rows], np.int64)
    there = np.arange(kept.max(initial=1)) < kept[:, None]
    padded = {"ids": np.zeros(there.shape, np.int64), "logprobs": np.full(there.shape, -np.inf, np.float32)}
    padded["ids"][there] = _joined([row.ids for row in rows], np.int64)
    # A place without a token stands for the first one again: for one that is taken out of the others already.
    padded["ids"] = np.where(there, padded["ids"], padded["ids"][:, :1])
    padded["logprobs"][there] = _joined([row.logprobs for row in rows], np.float32)
    mass = np.zeros(there.shape, np.float32)
    mass[there] = _joined([row.counts for row in rows], np.float32) / draws
    return {**padded, "mass": mass, "tail": np.full(len(kept), -np.inf, np.float32)}


def _joined(parts: Sequence[Any], dtype: Any) -> Any:
    return np.concatenate([*parts, np.zeros(0, dtype)]).astype(dtype)
