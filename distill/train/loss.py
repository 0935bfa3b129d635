"""Hidden states and labels -> loss summed over the learnt tokens, on a processor; and how any such loss is taken in chunks.

TRL's own output layer is made for GPUs: on a processor it computes logits for every position three times, with
statistics that nobody reads, and takes longer than the whole model before it. Here only the learnt positions are
computed, CHUNK at a time, and their gradient at once: a fifth of the time, and (CHUNK, vocabulary) floats of memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from distill.engines.template import IGNORE

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    Slope = Callable[[Tensor, slice], tuple[Tensor, Tensor]]
    """(n, V) float32 logits, which may be written over, and which of the positions they are -> (P,) sums of the loss's
    parts, and the loss's (n, V) gradient."""

CHUNK = 512
"""Positions whose logits are in memory together."""
SCALES = ("final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")
"""Settings by which models change their logits after the output layer; those that have one are left to TRL."""


def add_head(model: PreTrainedModel) -> bool:
    """Let `model(..., labels=labels, summed_loss=True)` return `{"loss": …}`, summed over the learnt tokens.

    With `surest=p` over those alone whose probability is not above p.

    Returns:
        False, and nothing is changed, for a model whose logits are more than a frozen output layer's.
    """
    if not plain_head(model):
        return False
    head, original = model.get_output_embeddings(), model.forward

    def forward(
        *args: Any, labels: Tensor | None = None, summed_loss: bool = False, surest: float = 1.0, **kwargs: Any
    ) -> Any:
        if not summed_loss or labels is None:
            return original(*args, labels=labels, **kwargs)
        kwargs["use_cache"] = False
        hidden = model.base_model(*args, **kwargs).last_hidden_state[:, :-1]
        targets = labels[:, 1:]
        learnt = targets != IGNORE
        loss, _ = summed()(hidden[learnt], head.weight, next_token(targets[learnt], surest), (1.0,))
        return {"loss": loss}

    model.forward = forward
    return True


def plain_head(model: PreTrainedModel) -> bool:
    """Whether the logits are hidden states times a frozen weight and nothing else."""
    config = model.config.get_text_config()
    head = model.get_output_embeddings()
    scaled = any(getattr(config, name, None) not in (None, 1.0) for name in SCALES)
    return not (scaled or getattr(head, "bias", None) is not None or head.weight.requires_grad)


def next_token(targets: Tensor, surest: float = 1.0) -> Slope:
    """Of the next-token loss, whose one part it is; (N,) targets, and the highest probability of one that still counts."""
    import torch

    def slope(logits: Tensor, some: slice) -> tuple[Tensor, Tensor]:
        wanted = targets[some, None]
        said = torch.log_softmax(logits, -1)
        own = said.gather(1, wanted)
        counts = ~(own > math.log(surest))  # what is no number counts, and stops the training
        nats = -own[counts].sum()
        # d loss / d logits = softmax - one-hot, written over what was said.
        gradient = said.exp_().scatter_add_(1, wanted, said.new_full(wanted.shape, -1))
        return nats[None], gradient if surest == 1 else gradient.mul_(counts)

    return slope


@cache
def summed() -> Callable[..., tuple[Tensor, Tensor]]:
    """A loss and its gradient without a graph over the vocabulary, CHUNK positions at a time.

    It takes (N, H) hidden states and a frozen (V, H) weight, or (N, V) logits and None; a slope; and what share of the
    loss each of its P parts has. It returns the () loss and its (P,) parts, float32 sums.
    """
    import torch

    class Summed(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, source: Tensor, weight: Tensor | None, slope: Slope, shares: Sequence[float]) -> Any:
            parts = source.new_zeros(len(shares), dtype=torch.float32)
            slopes = []
            for start in range(0, len(source), CHUNK):
                some = slice(start, start + CHUNK)
                logits = source[some] if weight is None else torch.nn.functional.linear(source[some], weight)
                sums, gradient = slope(logits.to(torch.float32, copy=weight is None), some)
                parts += sums
                slopes.append(gradient.to(source.dtype) if weight is None else gradient.to(weight.dtype) @ weight)
            ctx.save_for_backward(torch.cat(slopes).to(source.dtype) if slopes else torch.zeros_like(source))
            ctx.mark_non_differentiable(parts)
            return sum(share * part for share, part in zip(shares, parts, strict=True)), parts

        @staticmethod
        def backward(ctx: Any, gradient: Tensor, _: Any) -> Any:
            (slopes,) = ctx.saved_tensors
            return (slopes.float() * gradient).to(slopes.dtype), None, None, None

    apply: Callable[..., tuple[Tensor, Tensor]] = Summed.apply
    return apply


def unsure(model: Callable[..., Any], surest: float) -> Callable[..., Any]:
    """The same model to TRL's loss, but for tokens whose probability is above `surest`: of them it says 0 nats and no slope.

    Args:
        model: with TRL's own output layer, whose `log_probs` are of every token and 0 where nothing is learnt.
    """
    import torch

    def forward(*args: Any, **kwargs: Any) -> Any:
        outputs = model(*args, **kwargs)
        own = outputs.log_probs
        outputs.log_probs = torch.where(own > math.log(surest), torch.zeros_like(own), own)
        return outputs

    return forward
