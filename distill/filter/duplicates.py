"""Filters that find the same row twice: exact after normalisation, near by verified Jaccard."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from distill.rows import Frozen


class ExactDuplicate(Frozen):
    kind: Literal["exact_duplicate"] = "exact_duplicate"


class NearDuplicate(Frozen):
    kind: Literal["near_duplicate"] = "near_duplicate"
    threshold: float = Field(0.8, gt=0, le=1)
