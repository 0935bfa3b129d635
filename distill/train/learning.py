"""What every objective has in common: how long, how fast, in what batches. Each objective's own spec adds to it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from distill.engines.transformers import Dtype
from distill.rows import Frozen


class Learning(Frozen):
    READS: ClassVar[str] = "train"
    """File of the mix that it learns from."""
    SCORED: ClassVar[bool] = False
    """Whether it learns from what `score` keeps of the teacher."""
    TEACHER: ClassVar[bool] = False
    """Whether the recipe's teacher is there while the student learns."""
    LOSS: ClassVar[str] = "Loss is taken on the assistant's tokens and the stop token only"
    """What was learnt, for the model card."""

    objective: str
    epochs: float = Field(1.0, gt=0)
    max_steps: int | None = Field(None, gt=0)
    """Optimizer steps, instead of epochs."""
    learning_rate: float = Field(2e-4, gt=0)
    batch_size: int = Field(16, gt=0)
    """Global: rows per optimizer step over all processes."""
    max_length: int = Field(2048, gt=0)
    """Tokens per row; a longer row is an error that names it, unless `too_long: drop`."""
    too_long: Literal["error", "drop"] = "error"
    warmup_ratio: float = Field(0.03, ge=0, lt=1)
    scheduler: Literal["linear", "cosine", "constant"] = "cosine"
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    dtype: Dtype = "bfloat16"
    """Of the frozen weights; LoRA weights and their optimizer are float32."""
    checkpoint_every: int | None = Field(None, gt=0)
    """Optimizer steps between checkpoints; a tenth of the run when not given."""
    checkpoint: Literal["best", "last"] = "best"
    """The checkpoint that the student is: the best on real rows, where `mix.validation_rows` were set aside, or the last."""
    patience: int | None = Field(None, gt=0)
    """Checkpoints without a better loss on real rows after which the training ends early; never when not given."""

    @property
    def nats(self) -> bool:
        """Whether its training loss is nats per learnt token of its rows, as the loss on real rows is."""
        return False
