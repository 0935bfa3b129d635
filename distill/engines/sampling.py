"""logits -> tokens, with noise from the request and the position alone: never from the batch, the rank or the hour."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distill.errors import EngineError
from distill.protocols import Sampling

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 512
"""Most likely tokens that are sorted at first; a row whose top_p reaches further has its whole vocabulary sorted."""


def noise(key: str, position: int) -> float:
    """A number in [0, 1), uniform over keys and positions."""
    value = hashlib.blake2b(f"{key}:{position}".encode(), digest_size=8).digest()
    return float(int.from_bytes(value, "big") >> 11) / float(1 << 53)


def pick(logits: Tensor, samplings: Sequence[Sampling], uniforms: Sequence[float]) -> Tensor:
    """The next token of each row: (B, V) float32 -> (B,) ids.

    Temperature, then top_k, then top_p, as everywhere; then where the cumulated probability passes the uniform.

    Raises:
        EngineError: the model's output is not a number.
    """
    import torch

    highest, best = logits.max(dim=-1)
    if not bool(highest.isfinite().all()):
        raise EngineError(
            "the model's output is not a number",
            hint="use dtype float32 or bfloat16; if that is so already, the weights are damaged",
        )
    plain = [row for row, s in enumerate(samplings) if s.temperature > 0 and s.top_p == 1 and not s.top_k]
    cut = [row for row, s in enumerate(samplings) if s.temperature > 0 and (s.top_p < 1 or s.top_k)]
    if not plain and not cut:
        return best
    temperature = logits.new_tensor([s.temperature or 1.0 for s in samplings])[:, None]
    probabilities = torch.softmax((logits - highest[:, None]) / temperature, dim=-1)
    at = torch.tensor(uniforms, dtype=torch.float64, device=logits.device)
    if plain:
        best[plain] = _invert(probabilities[plain].double().cumsum(-1), at[plain])
    width = max([WINDOW, *(s.top_k for s in samplings)])
    for columns in (min(width, logits.shape[1]), logits.shape[1]):
        if cut:
            tokens, settled = _cut(probabilities[cut], [samplings[row] for row in cut], at[cut], columns)
            best[[row for row, done in zip(cut, settled, strict=True) if done]] = tokens[settled]
            cut = [row for row, done in zip(cut, settled, strict=True) if not done]
    return best


def _cut(probabilities: Tensor, samplings: Sequence[Sampling], at: Tensor, columns: int) -> tuple[Tensor, Tensor]:
    """Tokens drawn from what top_k and top_p leave, and for which rows the first `columns` were enough to say."""
    import torch

    vocabulary = probabilities.shape[1]
    values, ids = probabilities.topk(columns, dim=-1)
    mass = values.double().cumsum(-1)
    top_k = torch.tensor([s.top_k or vocabulary for s in samplings], device=at.device)[:, None]
    top_p = torch.tensor([s.top_p for s in samplings], dtype=torch.float64, device=at.device)[:, None]
    # What top_k leaves is the whole that top_p is a share of.
    whole = mass.gather(1, (top_k - 1).clamp(max=columns - 1))
    whole = torch.where(top_k >= vocabulary, torch.ones_like(whole), whole)
    before = torch.cat([torch.zeros_like(mass[:, :1]), mass[:, :-1]], dim=1)
    kept = (torch.arange(columns, device=at.device) < top_k) & (before < top_p * whole)
    settled = (mass[:, -1:] >= top_p * whole) | (top_k <= columns)
    if columns == vocabulary:
        settled = torch.ones_like(settled)
    places = _invert(torch.where(kept, values.double(), 0.0).cumsum(-1), at)
    return ids.gather(1, places[:, None])[:, 0], settled[:, 0]


def _invert(cumulated: Tensor, at: Tensor) -> Tensor:
    """Where the cumulated mass passes a share of its total, never on a token without mass: (B, V), (B,) -> (B,)."""
    import torch

    total = cumulated[:, -1:].contiguous()
    places = torch.searchsorted(cumulated, at[:, None] * total, right=True)
    return torch.minimum(places, torch.searchsorted(cumulated, total))[:, 0]
