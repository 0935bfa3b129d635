"""training rows + base model -> layers.json: the layers that are missed least, found by removing one at a time.

    layers.json    {"taken_out": [5, 12], "rounds": [{"layer": 12, "loss": 1.6}, …], "alone": {"0": 9.2, …}, "whole": 1.4,
                    "rows": 64, "tokens": 980}

taken_out    in ascending order
rounds       in the order in which they were found, with the loss when that layer and all before it are out
alone        the loss when that layer alone is out
whole        the loss of the whole model; losses are in nats per learnt token of the rows

Held-out rows have no part in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from distill.context import Context
from distill.engines.layers import FILE, LeastMissed
from distill.engines.placement import Placement, Quantization
from distill.engines.transformers import Dtype
from distill.errors import TrainError
from distill.protocols import Summary
from distill.rows import Frozen, digest

if TYPE_CHECKING:
    from distill.engines.template import Encoded

VERSION = 1
LONGEST = 2048
"""Tokens; a longer row is not measured on."""


class Spec(Frozen):
    model: str
    drop: LeastMissed
    quantization: Quantization | None
    dtype: Dtype
    """As they are trained."""
    seed: int
    """Of the choice of rows."""


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Find the layers, together with the other processes of the stage.

    Raises:
        TrainError: no rows to measure on, or no layer would be left.
    """
    from distill.engines import missed, models

    rows = sample(inputs["tokenise"] / "train.arrow", spec)
    source, count = context.resolved[spec.model], spec.drop.least_missed
    if context.ranks.main:
        models.weights_folder(source, context.cache)  # one process converts a GGUF file, the others wait for it
    context.ranks.barrier()
    model = models.load(source, context.cache, spec.dtype, placement=Placement(spec.quantization)).model
    there = model.config.get_text_config(decoder=True).num_hidden_layers
    if count >= there:
        raise TrainError(
            f"{count} layers cannot be taken out of a model of {there}",
            where="student.drop_layers.least_missed",
            hint="leave at least one",
        )
    found = missed.least_missed(model, rows, count, context)
    taken_out = sorted(found.layers)
    record = {
        "taken_out": taken_out,
        "rounds": [{"layer": layer, "loss": loss} for layer, loss in zip(found.layers, found.losses, strict=True)],
        "alone": found.alone,
        "whole": found.whole,
        "rows": len(rows),
        "tokens": found.tokens,
    }
    if context.ranks.main:
        (out / FILE).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return {
        "counts": {"rows": len(rows), "taken_out": count, "left": there - count},
        "layers": taken_out,
        "notes": [
            f"Without the layers {', '.join(map(str, taken_out))} the loss on {len(rows)} training rows is "
            f"{found.losses[-1]:.2f} instead of {found.whole:.2f}, before training."
        ],
    }


def sample(tokens: Path, spec: Spec) -> list[Encoded]:
    """Rows drawn by hash, the same whatever their order."""
    from datasets import Dataset

    from distill.engines.template import Encoded

    table = Dataset.from_file(str(tokens))
    columns = zip(table["id"], table["length"], table["learnt"], strict=True)
    usable = [(name, place) for place, (name, length, learnt) in enumerate(columns) if learnt and length <= LONGEST]
    if not usable:
        raise TrainError(
            "no row to measure on: the mix has no conversation and no text of at most "
            f"{LONGEST} tokens from which something is learnt",
            where="student.drop_layers.least_missed",
            hint="name the layers instead",
        )
    drawn = sorted(usable, key=lambda row: digest([spec.seed, row[0]]))[: spec.drop.rows]
    return [Encoded(list(table[place]["input_ids"]), list(table[place]["labels"])) for _, place in drawn]
