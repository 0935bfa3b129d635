"""kept teacher rows + real rows -> train.jsonl, heldout.jsonl in the stated proportion, no prompt on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from distill.context import Context
from distill.protocols import Summary
from distill.rows import Frozen

VERSION = 1


class Mix(Frozen):
    real_fraction: float = Field(0.25, ge=0, lt=1)
    """Real rows in the mix as a share of all its rows."""


class Spec(Frozen):
    mix: Mix
    seed: int


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    raise NotImplementedError
