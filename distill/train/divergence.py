"""(N, V) logits, labels and what is kept of a teacher -> the mixed loss and its gradient, without a graph over the vocabulary.

Between teacher P and student Q, over the K kept tokens of a position and all others as one bucket, at temperature T:

    forward_kl       sum P log(P / Q)
    reverse_kl       sum Q log(Q / P)
    jensen_shannon   beta sum P log(P / M) + (1 - beta) sum Q log(Q / M), with M = beta P + (1 - beta) Q

    loss = weight T² divergence + (1 - weight) next-token loss, the latter at temperature 1

The square keeps the gradient's size at any temperature. Where everything is kept this is the divergence over the vocabulary;
where draws are kept, `P` is their share of the draws, of which the forward divergence is an unbiased estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from distill.engines.scoring import only_at
from distill.engines.template import IGNORE
from distill.train.loss import plain_head, summed

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

Divergence = Literal["forward_kl", "reverse_kl", "jensen_shannon"]
SMALLEST = 1e-37
"""Near float32's: what a sum of probabilities that underflowed is taken for."""


@dataclass(frozen=True)
class Mixture:
    """What the loss is made of."""

    divergence: Divergence
    beta: float
    weight: float
    temperature: float
    vocabulary: int
    """Ids that stand for a token; the output layer's padding beyond them takes no part."""

    @property
    def shares(self) -> tuple[float, float]:
        """What divergence and next-token loss count for."""
        return self.weight * self.temperature**2, 1 - self.weight


def add_loss(model: PreTrainedModel, mixture: Mixture, lean: bool) -> None:
    """Let `model(..., labels=labels, teacher=targets)` return sums over the learnt tokens: `loss`, and `parts`, which has
    the divergence and the next-token loss.

    Args:
        lean: take the loss from the hidden states, CHUNK positions at a time, where the model's logits are nothing but
            hidden states times a frozen weight. Otherwise the model makes the logits of all learnt positions itself.
    """
    head, original = model.get_output_embeddings(), model.forward
    lean = lean and plain_head(model)

    def forward(*args: Any, labels: Tensor | None = None, teacher: Any = None, **kwargs: Any) -> Any:
        if teacher is None:
            return original(*args, labels=labels, **kwargs)
        assert labels is not None
        kwargs["use_cache"] = False
        learnt = labels[:, 1:] != IGNORE
        targets = labels[:, 1:][learnt]

        def of_some(logits: Tensor, some: slice) -> tuple[Tensor, Tensor]:
            there = {name: value[some] for name, value in teacher.items()}
            return slope(logits, targets[some], there, mixture)

        if lean:
            hidden = model.base_model(*args, **kwargs).last_hidden_state[:, :-1][learnt]
            loss, parts = summed()(hidden, head.weight[: mixture.vocabulary], of_some, mixture.shares)
        else:
            foretelling = learnt.new_zeros(labels.shape)
            foretelling[:, :-1] = learnt
            with only_at(model, foretelling):
                logits = original(*args, **kwargs).logits[0, :, : mixture.vocabulary]
            loss, parts = summed()(logits, None, of_some, mixture.shares)
        return {"loss": loss, "parts": parts}

    model.forward = forward


def slope(logits: Tensor, labels: Tensor, teacher: Mapping[str, Tensor], mixture: Mixture) -> tuple[Tensor, Tensor]:
    """Sums of divergence and next-token loss, (2,), and the gradient of the loss, (N, V).

    Args:
        logits: (N, V) float32, written over.
        labels: (N,) ids.
        teacher: see `targets.batch`.
    """
    import torch

    heat, weight = mixture.temperature, mixture.weight
    if heat == 1:
        return _slope(logits, labels, teacher, mixture, weight, 1 - weight)
    softened, gradient = _slope(logits / heat, labels, teacher, mixture, weight * heat, 0.0)
    plain, other = _slope(logits, labels, teacher, mixture, 0.0, 1 - weight)
    return torch.stack([softened[0], plain[1]]), gradient.add_(other)


def _slope(
    logits: Tensor, labels: Tensor, teacher: Mapping[str, Tensor], mixture: Mixture, of_divergence: float, of_nll: float
) -> tuple[Tensor, Tensor]:
    """The same at one temperature: gradient is `of_divergence` times the divergence's and `of_nll` times the other's."""
    import torch

    ids, logprobs, tail = teacher["ids"], teacher["logprobs"], teacher["tail"][:, None]
    top = logits.amax(-1, keepdim=True)
    said = logits.gather(1, labels[:, None]) - top
    own = logits.gather(1, ids) - top
    there = logprobs > -torch.inf  # False where a position has fewer tokens than its neighbours
    kept = own.exp() * there
    others = logits.sub_(top).exp_().scatter_(1, ids, 0.0)
    # Added up from the small ones themselves: one minus the large ones would lose them.
    rest = others.sum(-1, keepdim=True).clamp_(min=SMALLEST)
    total = kept.sum(-1, keepdim=True) + rest
    log_q = torch.cat([own, rest.log()], 1) - total.log()
    q = torch.cat([kept, rest], 1) / total
    p, log_p = torch.cat([teacher["mass"], tail.exp()], 1), torch.cat([logprobs, tail], 1)
    terms, by_bucket = DIVERGENCES[mixture.divergence](p, log_p, q, log_q, mixture.beta)
    nll = total.log() - said
    # d loss / d logit = what its bucket gains - softmax x what all gain, a tail's share by what each has of the tail.
    common = of_nll - of_divergence * by_bucket.sum(-1, keepdim=True)
    gradient = others.mul_(of_divergence * by_bucket[:, -1:] / rest + common / total)
    gradient.scatter_add_(1, ids, of_divergence * by_bucket[:, :-1] + q[:, :-1] * common)
    gradient.scatter_add_(1, labels[:, None], torch.full_like(nll, -of_nll))
    return torch.stack([terms.sum(), nll.sum()]), gradient


def _forward_kl(p: Tensor, log_p: Tensor, _q: Tensor, log_q: Tensor, _beta: float) -> tuple[Tensor, Tensor]:
    """Terms of the divergence by bucket, and their derivatives by the bucket's log-probability under the student."""
    return (p * (log_p - log_q)).where(p > 0, 0.0), -p


def _reverse_kl(_p: Tensor, log_p: Tensor, q: Tensor, log_q: Tensor, _beta: float) -> tuple[Tensor, Tensor]:
    terms = (q * (log_q - log_p)).where(log_p.isfinite(), 0.0)
    return terms, terms


def _jensen_shannon(p: Tensor, log_p: Tensor, q: Tensor, log_q: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    import math

    import torch

    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_student = ((1 - beta) * q * (log_q - log_m)).where(log_p.isfinite(), 0.0)
    return (beta * p * (log_p - log_m)).where(p > 0, 0.0) + of_student, of_student


DIVERGENCES: Mapping[Divergence, Callable[..., tuple[Tensor, Tensor]]] = {
    "forward_kl": _forward_kl,
    "reverse_kl": _reverse_kl,
    "jensen_shannon": _jensen_shannon,
}
