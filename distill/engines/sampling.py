"""logits -> tokens, with noise from the request and the position alone: never from the batch, the rank or the hour."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distill.errors import EngineError
from distill.protocols import Sampling

if TYPE_CHECKING:
    from torch import Tensor

WINDOWS = (64, 1024)
"""Most likely tokens that are sorted at first, and for the rows whose top_p reaches further; then the whole vocabulary."""
COARSE = 256
"""Tokens whose probability is summed up together, before one of them is looked for."""
COLDEST = 1e-6
"""A temperature below it divides beyond what float32 holds; the likeliest token is certain long before."""


def noise(key: str, position: int) -> float:
    """A number in [0, 1), uniform over keys and positions."""
    value = hashlib.blake2b(f"{key}:{position}".encode(), digest_size=8).digest()
    return float(int.from_bytes(value, "big") >> 11) / float(1 << 53)


class Picker:
    """Draws the next tokens of a batch, each row by a sampling of its own.

    Temperature, then top_k, then top_p, as everywhere; then where the cumulated probability passes the row's noise.
    """

    def __init__(self, samplings: Sequence[Sampling], device: Any) -> None:
        import torch

        self._samplings = samplings
        self._greedy = [row for row, s in enumerate(samplings) if s.temperature == 0]
        self._plain = [row for row, s in enumerate(samplings) if s.temperature > 0 and s.top_p == 1 and not s.top_k]
        self._cut = [row for row, s in enumerate(samplings) if s.temperature > 0 and (s.top_p < 1 or s.top_k)]
        divisors = [max(s.temperature, COLDEST) if s.temperature else 1.0 for s in samplings]
        self._temperature = torch.tensor(divisors, device=device)[:, None]

    def __call__(self, logits: Tensor, uniforms: Sequence[float]) -> Tensor:
        """The next token of each row: (B, V) of any dtype -> (B,) ids.

        Raises:
            EngineError: the model's output is not a number.
        """
        import torch

        tokens = torch.empty(len(logits), dtype=torch.long, device=logits.device)
        highest = logits.amax(dim=-1)
        if not bool(highest.isfinite().all()):
            raise EngineError(
                "the model's output is not a number",
                hint="use dtype float32 or bfloat16; if that is so already, the weights are damaged",
            )
        if self._greedy:
            tokens[self._greedy] = _rows(logits, self._greedy).argmax(dim=-1)
        if len(self._greedy) == len(logits):
            return tokens
        probabilities = torch.softmax(logits / self._temperature, dim=-1)
        at = torch.tensor(uniforms, dtype=torch.float64, device=logits.device)
        if self._plain:
            tokens[self._plain] = _draw(_rows(probabilities, self._plain), at[self._plain])
        self._draw_cut(probabilities, at, tokens)
        return tokens

    def _draw_cut(self, probabilities: Tensor, at: Tensor, tokens: Tensor) -> None:
        """Write the tokens of the rows that top_k and top_p cut, sorting no more of the vocabulary than it takes."""
        rows, vocabulary = self._cut, probabilities.shape[1]
        for window in (*WINDOWS, vocabulary):
            if not rows:
                return
            samplings = [self._samplings[row] for row in rows]
            columns = min(max(window, *(s.top_k for s in samplings)), vocabulary)
            drawn, settled = _cut(_rows(probabilities, rows), samplings, at[rows], columns)
            done = settled.tolist()
            tokens[[row for row, sure in zip(rows, done, strict=True) if sure]] = drawn[settled]
            rows = [row for row, sure in zip(rows, done, strict=True) if not sure]


def _rows(whole: Tensor, rows: list[int]) -> Tensor:
    """Some rows, without a copy where they are all."""
    return whole if len(rows) == len(whole) else whole[rows]


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


def _draw(probabilities: Tensor, at: Tensor) -> Tensor:
    """Tokens drawn from the whole vocabulary: the stretch of it first, then the token: (B, V), (B,) -> (B,)."""
    import torch

    missing = -probabilities.shape[1] % COARSE
    stretches = torch.nn.functional.pad(probabilities, (0, missing)).view(len(probabilities), -1, COARSE)
    mass = stretches.sum(dim=-1, dtype=torch.float64)
    cumulated = mass.cumsum(-1)
    stretch = _invert(cumulated, at)[:, None]
    chosen = mass.gather(1, stretch)
    rest = at[:, None] * cumulated[:, -1:] - (cumulated.gather(1, stretch) - chosen)
    inside = stretches[torch.arange(len(at), device=at.device), stretch[:, 0]].double().cumsum(-1)
    place = _invert(inside, (rest / chosen)[:, 0].clamp(0, 1 - 2**-53))
    return stretch[:, 0] * COARSE + place


def _invert(cumulated: Tensor, at: Tensor) -> Tensor:
    """Where the cumulated mass passes a share of its total, never on a token without mass: (B, V), (B,) -> (B,)."""
    import torch

    total = cumulated[:, -1:].contiguous()
    places = torch.searchsorted(cumulated, at[:, None] * total, right=True)
    return torch.minimum(places, torch.searchsorted(cumulated, total))[:, 0]
