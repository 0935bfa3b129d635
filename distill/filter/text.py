"""Filters that read one row's text: finished, length, repetition, refusal."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from distill.rows import Frozen


class Finished(Frozen):
    kind: Literal["finished"] = "finished"


class Length(Frozen):
    kind: Literal["length"] = "length"
    min_tokens: int = Field(1, ge=0)
    max_tokens: int = Field(2048, gt=0)


class Repetition(Frozen):
    kind: Literal["repetition"] = "repetition"


class Refusal(Frozen):
    kind: Literal["refusal"] = "refusal"
