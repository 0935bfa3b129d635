"""Decoder layers of a model: which are taken out, and how."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from distill.errors import DistillError
from distill.rows import Frozen

FILE = "layers.json"
"""What the node `layers` writes: `taken_out`, and how it was found."""


class LeastMissed(Frozen):
    """So many layers as are missed least, measured by the loss without them."""

    least_missed: int = Field(gt=0)
    rows: int = Field(64, gt=0)
    """Training rows that it is measured on."""


DropLayers = Annotated[
    Annotated[tuple[int, ...], Tag("named")] | Annotated[LeastMissed, Tag("found")],
    Discriminator(lambda value: "found" if isinstance(value, dict | LeastMissed) else "named"),
]


def taken_out(drop_layers: DropLayers, inputs: Mapping[str, Path]) -> tuple[int, ...]:
    """The layers that are named, or that the node `layers` found."""
    if not isinstance(drop_layers, LeastMissed):
        return drop_layers
    return tuple(json.loads((inputs["layers"] / FILE).read_text(encoding="utf-8"))["taken_out"])


def stack(model: Any) -> tuple[Any, str]:
    """The module that holds the decoder layers of a model, and the name under which it does.

    Raises:
        DistillError: they are not in one list.
    """
    import torch

    count = model.config.get_text_config(decoder=True).num_hidden_layers
    decoder = model.get_decoder()
    for name, child in decoder.named_children():
        if isinstance(child, torch.nn.ModuleList) and len(child) == count:
            return decoder, name
    raise DistillError(
        f"the {count} layers of a {type(model).__name__} are not in one list", where="drop_layers", hint="leave it out"
    )


def drop(model: Any, layers: Sequence[int]) -> None:
    """Take decoder layers out of a model in place; what stays is numbered anew, for the key-value cache."""
    import torch

    config = model.config.get_text_config(decoder=True)
    count = config.num_hidden_layers
    wrong = sorted({layer for layer in layers if not 0 <= layer < count or list(layers).count(layer) > 1})
    if wrong or len(layers) >= count:
        raise DistillError(
            f"layers {wrong or list(layers)} cannot be taken out of a model of {count}",
            where="drop_layers",
            hint=f"name each layer once, counted from 0 to {count - 1}, and leave at least one",
        )
    decoder, where = stack(model)
    keep = [index for index in range(count) if index not in layers]
    for name, value in list(vars(config).items()):
        if name.endswith(("layer_types", "_layers")) and isinstance(value, list) and len(value) == count:
            setattr(config, name, [value[index] for index in keep])
    config.num_hidden_layers = len(keep)
    left = torch.nn.ModuleList(getattr(decoder, where)[index] for index in keep)
    setattr(decoder, where, left)
    for index, layer in enumerate(left):
        for module in layer.modules():
            if hasattr(module, "layer_idx"):
                module.layer_idx = index  # type: ignore[assignment]
