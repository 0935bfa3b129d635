"""held-out prompts -> rows.jsonl: the teacher's answers that the student is measured on and never trained on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from distill.context import Context
from distill.generate.stage import Teacher
from distill.protocols import Sampling, Summary
from distill.rows import Frozen

VERSION = 1


class Spec(Frozen):
    teacher: Teacher
    sampling: Sampling
    system: str | None
    seed: int


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    raise NotImplementedError
