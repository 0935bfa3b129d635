"""decoder layers + rows -> the loss without each layer, and the layers that are missed least.

A layer is skipped by handing on what it was given: masks, positions and norms stay the model's own affair. What lies
before the skipped layer is the same as in the whole model, so it is computed once and recalled: half of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from distill.context import Context
from distill.engines.batches import plan, share
from distill.engines.layers import stack
from distill.engines.scoring import foretold
from distill.engines.template import Encoded

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass
class Skips:
    """Which layers of a model do nothing, and from which on it computes."""

    without: frozenset[int] = frozenset()
    start: int = 0
    """Layers before it do nothing, and it is given what it was given when `given` was kept."""
    keep: bool = False
    given: dict[int, Tensor] = field(default_factory=dict)
    """Hidden states that each layer was given."""
    tuples: bool = False
    """Whether the layers return tuples."""

    def whole(self, gone: Iterable[int]) -> None:
        """Compute all layers but those that are gone, and keep what each was given."""
        self.start, self.keep, self.without, self.given = 0, True, frozenset(gone), {}

    def skip(self, layer: int, gone: Iterable[int]) -> None:
        """Leave out one more, of the same rows."""
        self.start, self.keep, self.without = layer, False, frozenset({*gone, layer})

    def through(self, place: int, forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Layer `place`, as far as it is to do anything."""
        hidden, rest = (args[0], args[1:]) if args else (kwargs.pop("hidden_states"), ())
        if self.keep:
            self.given[place] = hidden
        elif place == self.start:
            hidden = self.given[place]
        if place < self.start or place in self.without:
            return (hidden,) if self.tuples else hidden
        out = forward(hidden, *rest, **kwargs)
        self.tuples = isinstance(out, tuple)
        return out


@dataclass(frozen=True)
class Found:
    layers: tuple[int, ...]
    """In the order in which they were found."""
    losses: tuple[float, ...]
    """In nats per learnt token, without each layer and all before it."""
    whole: float
    """Loss with all layers."""
    alone: dict[int, float]
    """Loss without each layer alone."""
    tokens: int
    """Learnt tokens that it was taken over."""


def least_missed(model: PreTrainedModel, rows: Sequence[Encoded], count: int, context: Context) -> Found:
    """The layers to take out, one after the other: each time that without which the loss is smallest.

    Args:
        rows: what the loss is taken on, shared out over the processes.
        count: layers to take out, fewer than there are.
    """
    gone: list[int] = []
    losses: list[float] = []
    whole, tokens, alone = 0.0, 0, dict[int, float]()
    for _ in context.progress(range(count), count, "layers", "layer"):
        without, with_all, tokens = without_each(model, rows, gone, context)
        if not gone:
            whole, alone = with_all, without
        best = min(without, key=lambda layer: (without[layer], layer))
        gone.append(best)
        losses.append(without[best])
    return Found(tuple(gone), tuple(losses), whole, alone, tokens)


def without_each(
    model: PreTrainedModel, rows: Sequence[Encoded], gone: Sequence[int], context: Context
) -> tuple[dict[int, float], float, int]:
    """The loss without each layer that is still there, with all of them, and the tokens that it is taken over."""
    import torch

    layers, ranks = _layers(model), context.ranks
    left = [layer for layer in range(len(layers)) if layer not in gone]
    totals, whole, tokens = dict.fromkeys(left, 0.0), 0.0, 0
    batches = plan([len(row.ids) for row in rows], context.runtime.batch_tokens)
    with torch.inference_mode(), _skipping(layers) as skips:
        for batch in share(batches, ranks.rank, ranks.world):
            some = [rows[place] for place in batch]
            skips.whole(gone)
            loss, learnt = summed(model, some)
            whole, tokens = whole + loss, tokens + learnt
            for layer in left:
                skips.skip(layer, gone)
                totals[layer] += summed(model, some)[0]
    parts = ranks.gather([(totals, whole, tokens)])
    tokens = sum(part[2] for part in parts)
    losses = {layer: sum(part[0][layer] for part in parts) / tokens for layer in left}
    return losses, sum(part[1] for part in parts) / tokens, tokens


def summed(model: PreTrainedModel, rows: Sequence[Encoded]) -> tuple[float, int]:
    """Negative log-likelihood of the learnt tokens, in nats, and how many they are."""
    import torch

    logits, learnt, _ = foretold(model, [(row.ids, row.labels) for row in rows])
    return float(torch.nn.functional.cross_entropy(logits.float(), learnt, reduction="sum")), len(learnt)


@contextmanager
def _skipping(layers: Sequence[Any]) -> Iterator[Skips]:
    skips = Skips()
    forwards = [layer.forward for layer in layers]
    for place, (layer, forward) in enumerate(zip(layers, forwards, strict=True)):
        layer.forward = partial(skips.through, place, forward)
    try:
        yield skips
    finally:
        for layer, forward in zip(layers, forwards, strict=True):
            layer.forward = forward


def _layers(model: PreTrainedModel) -> Any:
    decoder, name = stack(model)
    return getattr(decoder, name)
