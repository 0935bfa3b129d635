"""`preference`: chosen answers above rejected ones, by TRL's DPOTrainer."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from distill.train.learning import Learning


class Preference(Learning):
    READS: ClassVar[str] = "preference"

    objective: Literal["preference"]
    """`preference`: DPO on pairs of answers, as `rank` writes them."""
    beta: float = Field(0.1, gt=0)
    """How far the student may go from where it starts; smaller is further."""
