"""Hidden states and labels -> loss summed over the learnt tokens, on a processor.

TRL's own output layer is made for GPUs: on a processor it computes logits for every position three times, with
statistics that nobody reads, and takes longer than the whole model before it. Here only the learnt positions are
computed, CHUNK at a time, and their gradient at once: a fifth of the time, and (CHUNK, vocabulary) floats of memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from distill.engines.template import IGNORE

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

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
        *args: Any, labels: torch.Tensor | None = None, summed_loss: bool = False, surest: float = 1.0, **kwargs: Any
    ) -> Any:
        if not summed_loss or labels is None:
            return original(*args, labels=labels, **kwargs)
        kwargs["use_cache"] = False
        hidden = model.base_model(*args, **kwargs).last_hidden_state[:, :-1]
        targets = labels[:, 1:]
        learnt = targets != IGNORE
        return {"loss": _summed()(hidden[learnt], head.weight, targets[learnt], surest)}

    model.forward = forward
    return True


def plain_head(model: PreTrainedModel) -> bool:
    """Whether the logits are hidden states times a frozen weight and nothing else."""
    config = model.config.get_text_config()
    head = model.get_output_embeddings()
    scaled = any(getattr(config, name, None) not in (None, 1.0) for name in SCALES)
    return not (scaled or getattr(head, "bias", None) is not None or head.weight.requires_grad)


@cache
def _summed() -> Callable[..., torch.Tensor]:
    """(N, H) hidden states, (V, H) frozen weight, (N,) targets, the highest probability of a target that still counts -> ()
    summed negative log-likelihood, nats, float32."""
    import torch

    class Summed(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, surest: float
        ) -> torch.Tensor:
            total = hidden.new_zeros((), dtype=torch.float32)
            slopes = []
            for some, wanted in zip(torch.split(hidden, CHUNK), torch.split(targets, CHUNK), strict=True):
                logits = torch.nn.functional.linear(some, weight)
                said = torch.log_softmax(logits, -1, dtype=torch.float32)
                own = said.gather(1, wanted[:, None])
                counts = ~(own > math.log(surest))  # what is no number counts, and stops the training
                total -= own[counts].sum()
                # d loss / d logits = softmax - one-hot, written over what was said.
                slope = said.exp_()
                slope[torch.arange(len(wanted)), wanted] -= 1
                if surest < 1:
                    slope *= counts
                slopes.append(slope.to(weight.dtype) @ weight)
            ctx.save_for_backward(torch.cat(slopes).to(hidden.dtype))
            return total

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> Any:
            (slopes,) = ctx.saved_tensors
            return (slopes.float() * gradient).to(slopes.dtype), None, None, None

    apply: Callable[..., torch.Tensor] = Summed.apply
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
