"""Keys and values of the rows in a batch: rows join and leave, and columns are set aside for new tokens.

    column   0 .. ........ edge     capacity
    row 0    . . t t t t t t |  set aside for
    row 1    t t t t t t t t |  new tokens

All rows end in the same column, so that the distance of two columns is that of two tokens in every row: sliding windows
and chunks hold without the model knowing of padding. A layer of transformers' own cache copies all that it holds for
every new token; this one copies when the batch changes. It knows nothing of requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache as once
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import DynamicCache, PretrainedConfig


JOINED = ("DynamicLayer", "DynamicSlidingWindowLayer", "LinearAttentionLayer", "DummyLayer")
"""Layers of transformers' caches, by name: older versions do not have all of them (no DummyLayer in 5.17)."""


def new_cache(config: PretrainedConfig) -> DynamicCache:
    """An empty cache for prompts that are read together. Of a model that is not `joinable` it is transformers' own."""
    from transformers import DynamicCache

    cache = DynamicCache(config=config)
    if joinable(config):
        cache.layers = [_columns()() if hasattr(layer, "keys") else layer for layer in cache.layers]
    return cache


def joinable(config: PretrainedConfig) -> bool:
    """Whether rows can join: every layer of the model holds columns, or states without columns, or nothing."""
    from transformers import DynamicCache

    return all(type(layer).__name__ in JOINED for layer in DynamicCache(config=config).layers)


def joined(
    old: DynamicCache | None, staying: Tensor, fresh: Sequence[DynamicCache], width: int, capacity: int
) -> DynamicCache:
    """A cache of the rows that stay in the old one and, behind them, all rows of the fresh ones; these are used up.

    Args:
        old: None where nothing was computed for the rows that stay: they hold zeros then.
        staying: (n,) places in the old cache.
        width: columns that are kept, as many as the longest row has tokens.
        capacity: columns in all.
    """
    caches = [*fresh] if old is None else [old, *fresh]
    for place, layer in enumerate(caches[0].layers):
        parts = [cache.layers[place] for cache in fresh]
        before = None if old is None else layer
        if isinstance(layer, _columns()) and layer.is_initialized:
            keys, values = (_columns_of(name, before, staying, parts, width, capacity) for name in ("keys", "values"))
            for used in parts:
                used.keys = used.values = None
            layer.keys, layer.values, layer.edge = keys, values, width
        for name in ("conv_states", "recurrent_states"):
            states = getattr(layer, name, {})
            for index in [index for index, state in states.items() if state is not None]:
                states[index] = _states_of(name, index, before, staying, parts)
    return caches[0]


def _columns_of(name: str, before: Any, staying: Tensor, parts: Sequence[Any], width: int, capacity: int) -> Tensor:
    """Keys or values of all rows, each with its last token in the column before `width`."""
    held = [] if before is None else [getattr(before, name)[:, :, max(0, before.edge - width) : before.edge]]
    held = [part.index_select(0, staying.to(part.device)) for part in held]
    held += [getattr(part, name) for part in parts]
    blank = len(staying) if before is None else 0
    rows = blank + sum(len(part) for part in held)
    whole: Tensor = held[0].new_zeros(rows, held[0].shape[1], capacity, held[0].shape[3])
    top = blank
    for part in held:
        whole[top : top + len(part), :, width - part.shape[2] : width] = part
        top += len(part)
    return whole


def _states_of(name: str, index: int, before: Any, staying: Tensor, parts: Sequence[Any]) -> Tensor:
    """What a layer without columns holds of all rows."""
    import torch

    states = [getattr(part, name)[index] for part in parts]
    if before is None:
        first = states[0].new_zeros(len(staying), *states[0].shape[1:])
    else:
        held = getattr(before, name)[index]
        first = held.index_select(0, staying.to(held.device))
    return torch.cat([first, *states])


@once
def _columns() -> Any:
    """The class of a layer, made at its first use: its base is imported with torch."""
    from transformers.cache_utils import DynamicLayer

    class Columns(DynamicLayer):  # type: ignore[misc]
        """Keys and values (B, H, capacity, D), filled up to the column `edge`."""

        edge = 0

        def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
                self.keys, self.values, self.edge = key_states, value_states, key_states.shape[2]
                return key_states, value_states
            start, self.edge = self.edge, self.edge + key_states.shape[2]
            self.keys[:, :, start : self.edge] = key_states
            self.values[:, :, start : self.edge] = value_states
            return self.keys[:, :, : self.edge], self.values[:, :, : self.edge]

        def get_seq_length(self) -> int:
            return self.edge

    return Columns
