"""`logits`: the divergence from the teacher's distributions that `score` kept, mixed with the next-token loss."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from distill.train.learning import Learning


class Logits(Learning):
    SCORED: ClassVar[bool] = True

    objective: Literal["logits"]
    """`logits`: the divergence from the teacher's distributions over the rows of the mix, which `score` keeps."""
    divergence: Literal["forward_kl", "reverse_kl", "jensen_shannon"] = "forward_kl"
    weight: float = Field(0.5, ge=0, le=1)
    """Of the divergence; the next-token loss has the rest."""
    temperature: float = Field(1.0, gt=0)
    """Both distributions are softened by it."""
