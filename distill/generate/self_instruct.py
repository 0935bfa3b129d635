"""self_instruct: the teacher writes a new instruction from a few seeds, then answers it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from distill.rows import Frozen


class SelfInstruct(Frozen):
    kind: Literal["self_instruct"] = "self_instruct"
    seeds: str
    """Name under `real` whose training prompts are shown as examples."""
    share: float = Field(1.0, gt=0, le=1)
    shown: int = Field(3, ge=1, le=20)
    """Seeds shown in one request."""
