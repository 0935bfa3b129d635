"""`on_policy`: the student writes, the teacher scores what it wrote, by TRL's DistillationTrainer."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from distill.train.learning import Learning


class OnPolicy(Learning):
    TEACHER: ClassVar[bool] = True

    objective: Literal["on_policy"]
    """`on_policy`: the divergence from the teacher over answers that the student writes itself."""
    beta: float = Field(1.0, ge=0, le=1)
    """0 is the forward divergence, 1 the reverse one, 0.5 Jensen-Shannon's."""
    temperature: float = Field(1.0, gt=0)
    max_new_tokens: int = Field(256, gt=0)
