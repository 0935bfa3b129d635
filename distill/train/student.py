"""What the student is: a model by reference, layers taken out, and which of its weights are trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from distill.engines.layers import DropLayers, LeastMissed
from distill.engines.placement import Quantization
from distill.rows import Frozen


class Lora(Frozen):
    r: int = Field(16, gt=0)
    """Rank."""
    alpha: int = Field(32, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    rslora: bool = False
    """Scale by alpha / √r instead of alpha / r, so that a high rank learns as fast as a low one."""
    dora: bool = False
    """Learn the length of each weight's columns apart from their direction (DoRA): slower, better at low ranks."""


class Student(Frozen):
    model: str
    """Reference: hub id, folder, GGUF file, `package:` or `run:NAME/train`."""
    drop_layers: DropLayers = ()
    """Decoder layers taken out before training, counted from 0; or how many, `{least_missed: 6}`, which are then measured."""
    lora: Lora | None = Lora()
    """`null` trains all weights, in float32."""
    adapter: str | None = None
    """Reference to the adapter that training goes on with: a folder as peft writes it, a hub id, or `run:NAME/train`. Its rank
    and layers are its own. With `lora: null` it is merged in first."""
    quantization: Quantization | None = None
    """The frozen weights in 4 bits (`nf4`) or 8 (`int8`) by bitsandbytes: QLoRA. The student is evaluated on them too."""
    terms: tuple[str, ...] = ()
    """Licence ids of the model, where it does not carry its own or it must be corrected."""

    @model_validator(mode="after")
    def _fits(self) -> Student:
        if self.lora is None and self.quantization:
            raise ValueError(f"{self.quantization} weights cannot be trained themselves: give lora, or no quantization")
        if self.adapter and self.lora not in (None, Lora()):
            raise ValueError(
                "an adapter that is trained further keeps its own rank and layers: leave out lora, also in what the recipe extends"
            )
        if self.adapter and isinstance(self.drop_layers, LeastMissed):
            raise ValueError(
                "the adapter was made for certain layers: name those that were taken out, as its training did"
            )
        return self

    @property
    def references(self) -> tuple[str, ...]:
        """Every reference in it."""
        return (self.model, self.adapter) if self.adapter else (self.model,)

    @property
    def out(self) -> tuple[int, ...]:
        """Layers taken out, where they are known."""
        assert isinstance(self.drop_layers, tuple)
        return self.drop_layers
