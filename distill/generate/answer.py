"""answer: the teacher answers the prompts of a data set."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from distill.rows import Frozen


class Answer(Frozen):
    kind: Literal["answer"] = "answer"
    prompts: str
    """Name under `real` whose training prompts are asked."""
    share: float = Field(1.0, gt=0, le=1)
    """Part of `generate.rows` that this method provides."""
    system: str | None = None
    """System message put before each prompt that has none."""
    samples: int = Field(1, ge=1)
    """Answers asked per prompt at most; the second is asked only when every prompt was asked once."""
