"""training prompts -> rows.jsonl, failures.jsonl: candidates are asked on until the filters have accepted enough."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from distill.context import Context
from distill.engines.open import AnyEngine
from distill.engines.transformers import Transformers
from distill.generate.answer import Answer
from distill.generate.self_instruct import SelfInstruct
from distill.protocols import Sampling, Summary
from distill.rows import Frozen

VERSION = 1
AnyMethod = Annotated[Answer | SelfInstruct, Field(discriminator="kind")]


class Teacher(Frozen):
    model: str
    """Reference: hub id, folder, GGUF file, `package:` or `run:NAME/train`."""
    engine: AnyEngine = Transformers()
    terms: tuple[str, ...] = ()
    """Licence ids, where the model does not carry its own or it must be corrected."""


class Budget(Frozen):
    candidates: int | None = Field(None, gt=0)
    """Most candidates asked for; four times `rows` when not given."""


class Generate(Frozen):
    rows: int = Field(gt=0)
    """Teacher rows kept by the whole filter chain, before the mix."""
    methods: tuple[AnyMethod, ...] = Field(min_length=1)
    sampling: Sampling = Sampling()
    budget: Budget = Budget()
    min_yield: float = Field(0.0, ge=0, le=1)
    """Least share of candidates that must be kept; under it the run stops."""


class Spec(Frozen):
    teacher: Teacher
    generate: Generate
    filter: tuple[dict[str, Any], ...]
    """The chain as the recipe has it: what is accepted decides what is asked, so it belongs to the key."""
    seed: int


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write `rows.jsonl` (every parsed candidate in request order) and `failures.jsonl`."""
    raise NotImplementedError
