"""real data -> train.jsonl, heldout.jsonl: the side of every prompt, decided by hash before anything is generated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from distill.context import Context
from distill.protocols import Summary
from distill.rows import Frozen
from distill.sources import Real

VERSION = 1


class Split(Frozen):
    held_out_prompts: int = Field(128, ge=0)
    """Root prompts kept away from training, the same ones on every machine: those whose hash with the seed is lowest."""


class Spec(Frozen):
    """All that decides the split."""

    real: dict[str, Real]
    split: Split
    seed: int


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write `train.jsonl` and `heldout.jsonl`, real rows in the order of the data, duplicates of a row kept once (and counted)."""
    raise NotImplementedError
