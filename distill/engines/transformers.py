"""The model in this process: answers and scores in batches bounded by tokens."""

from __future__ import annotations

from typing import Literal

from distill.rows import Frozen

Dtype = Literal["bfloat16", "float16", "float32"]


class Transformers(Frozen):
    kind: Literal["transformers"] = "transformers"
    dtype: Dtype = "bfloat16"
