"""What the student is: a model by reference, layers taken out, LoRA put on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from distill.rows import Frozen


class Lora(Frozen):
    r: int = Field(16, gt=0)
    """Rank."""
    alpha: int = Field(32, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"


class Student(Frozen):
    model: str
    """Reference: hub id, folder, GGUF file, `package:` or `run:NAME/train`."""
    drop_layers: tuple[int, ...] = ()
    """Decoder layers taken out before training, counted from 0."""
    lora: Lora = Lora()
    terms: tuple[str, ...] = ()
