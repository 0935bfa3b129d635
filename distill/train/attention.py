"""Attention for rows that lie one after the other in a forward pass: each sees itself alone, and no mask is made.

A mask that keeps rows apart has as many places as the pass has tokens, squared, and attention takes the time of all of
them. Here every row is attended to by itself: on a GPU by torch's kernel for rows of different lengths, on a processor row
by row. Whether a model lets itself be served so is tried out on it, not looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from distill.engines.quiet import quiet
from distill.train import sharding

if TYPE_CHECKING:
    import torch

NAME = "distill_apart"
"""Under which transformers knows it."""
CAUSAL = {"full_attention", "sliding_attention"}
"""Kinds of layers that look at nothing but the row's own past, and only through attention."""
UNKNOWN = ("softcap", "s_aux", "position_bias")
"""What some models add to attention."""
LENGTHS = (5, 7, 3)
"""Of the rows that a model is tried with."""
ROUNDING, ROUNDING_FLOAT32 = 0.03, 1e-3
"""Largest relative difference that is rounding, in short dtypes and in float32."""
LIKE_ALONE = 10
"""So many times that may a row differ from itself alone: another kernel rounds otherwise, and every layer adds to it."""


@contextmanager
def apart(model: Any) -> Iterator[None]:
    """Inside, the model attends row by row; `cu_seq_lens_q` and `max_length_q` say where rows end and how long they are."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)
    config = model.config.get_text_config()
    before = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    cu_seq_lens_q: torch.Tensor,
    max_length_q: int,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """(1, heads, tokens, width) queries, and keys and values of as many or fewer heads -> (1, tokens, heads, width)."""
    import torch

    strange = [name for name in UNKNOWN if more.get(name) is not None]
    if mask is not None or strange or not getattr(module, "is_causal", True):
        raise NotImplementedError(f"attention with {', '.join(strange) or 'a mask of its own'}")
    if query.is_cuda and query.dtype != torch.float32 and not dropout:
        return _together(query, key, value, cu_seq_lens_q, max_length_q, scaling, sliding_window), None
    lengths, kind = cu_seq_lens_q.diff().tolist(), query.dtype
    # torch's kernel for processors is three times faster backward in float32 than in bfloat16.
    parts = [one.float() if query.device.type == "cpu" else one for one in (query, key, value)]
    seen = []
    with torch.autocast(query.device.type, enabled=False):
        for q, k, v in zip(*(torch.split(part, lengths, dim=2) for part in parts), strict=True):
            past = _past(q, sliding_window)
            seen.append(
                torch.nn.functional.scaled_dot_product_attention(
                    q, k, v, past, dropout, is_causal=past is None, scale=scaling, enable_gqa=True
                )
            )
    return torch.cat(seen, dim=2).to(kind).transpose(1, 2).contiguous(), None


def _past(query: torch.Tensor, window: int | None) -> torch.Tensor | None:
    """Which tokens each one sees, where that is only the last `window` of its past; None where it is all."""
    import torch

    length = query.shape[2]
    if window is None or length <= window:
        return None
    places = torch.arange(length, device=query.device)
    back = places[:, None] - places
    return (back >= 0) & (back < window)


def _together(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    ends: torch.Tensor,
    longest: int,
    scaling: float | None,
    window: int | None,
) -> torch.Tensor:
    from torch.nn.attention.varlen import varlen_attn

    # torch 2.11 knows no `enable_gqa`, hence keys and values for every head.
    heads = query.shape[1] // key.shape[1]
    if heads > 1:
        key, value = (one.repeat_interleave(heads, 1) for one in (key, value))
    q, k, v = (one[0].transpose(0, 1) for one in (query, key, value))
    back = (-1 if window is None else window - 1, 0)
    seen = varlen_attn(q, k, v, ends, ends, longest, longest, scale=scaling, window_size=back)
    assert not isinstance(seen, tuple)
    return seen[None]


def obstacle(model: Any) -> str | None:
    """Why rows cannot lie in one pass of this model, None where they can.

    Three short rows go through it together; then with another one in the first's place, which must change nothing in the
    two others; then alone.
    """
    import torch

    if sharding.kind() != "whole":
        return "its weights are shared out over processes before it can be tried"
    config = model.config.get_text_config()
    other = set(getattr(config, "layer_types", None) or ()) - CAUSAL
    if other:
        return f"it has layers of kind {', '.join(sorted(other))}"
    was = model.training
    model.eval()
    try:
        with torch.no_grad(), quiet():
            moved, away = _tried(model, config.vocab_size)
    except Exception as error:  # whatever a model does that was never tried with it
        return f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        model.train(was)
    bound = ROUNDING_FLOAT32 if model.dtype == torch.float32 else ROUNDING
    if moved > bound:
        return f"what it reads in a row depends on the row before it ({moved:.2g} of the whole)"
    return f"a row is read otherwise than alone ({away:.2g} of the whole)" if away > LIKE_ALONE * bound else None


def _tried(model: Any, vocabulary: int) -> tuple[float, float]:
    """How much the later rows differ when the first is another one, and all from themselves alone; relative."""
    import torch

    from distill.train.passes import collate

    # Ids from the middle of the vocabulary: the first ones are often special tokens that no model has learnt.
    ids = [(vocabulary // 4 + 37 * place) % vocabulary for place in range(sum(LENGTHS) + LENGTHS[0])]
    ends = [0, *accumulate([*LENGTHS, LENGTHS[0]])]
    *rows, another = (ids[start:end] for start, end in pairwise(ends))

    def together(packed: list[list[int]]) -> torch.Tensor:
        inputs = collate([{"input_ids": packed, "labels": packed}])
        del inputs["labels"]
        placed = {name: value.to(model.device) if hasattr(value, "to") else value for name, value in inputs.items()}
        with apart(model):
            logits: torch.Tensor = model(**placed, use_cache=False).logits.float()
        return logits

    def differ(one: torch.Tensor, other: torch.Tensor) -> float:
        return float((one - other).norm() / other.norm())

    whole, changed = together(rows), together([another, *rows[1:]])
    each = [model(input_ids=torch.tensor([row], device=model.device), use_cache=False).logits.float() for row in rows]
    later = slice(LENGTHS[0], None)
    return differ(changed[:, later], whole[:, later]), differ(whole, torch.cat(each, dim=1))
