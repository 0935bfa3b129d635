"""one arm + held-out rows -> items.jsonl: one line an item, with every score the comparison needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from distill.context import Context
from distill.engines.transformers import Dtype
from distill.protocols import Summary
from distill.rows import Frozen

VERSION = 1
Suite = Literal["heldout_teacher", "heldout_real"]


class Generation(Frozen):
    items: int = Field(64, ge=0)
    """Items per suite that are answered greedily (the first by hash); 0 leaves generation out."""
    max_new_tokens: int = Field(64, gt=0)


class Evaluate(Frozen):
    primary: str = "heldout_teacher.loss"
    """The one metric that decides, named before the run: `<suite>.<metric>`."""
    suites: tuple[Suite, ...] = ("heldout_teacher", "heldout_real")
    generation: Generation = Generation()
    dtype: Dtype = "bfloat16"
    """Of every arm."""
    checkpoints: tuple[int, ...] = ()
    """Steps of the student's training that are evaluated as arms too, `student@STEP`."""


class Spec(Frozen):
    """One arm. `model` and `drop_layers` for teacher and base; the student is what `inputs["train"]` holds."""

    arm: str
    model: str | None
    drop_layers: tuple[int, ...] = ()
    step: int | None = None
    suites: tuple[Suite, ...]
    generation: Generation
    dtype: Dtype
    top_k: int = 64
    """Teacher's tokens per position that agreement and KL are computed from."""


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    raise NotImplementedError
