"""candidates -> kept.jsonl, dropped.jsonl, real.jsonl, ledger.json: every row judged, every drop with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from distill.context import Context
from distill.filter.chain import AnyFilter
from distill.protocols import Summary
from distill.rows import Frozen

VERSION = 1


class Spec(Frozen):
    filter: tuple[AnyFilter, ...]
    rows: int
    """Kept rows asked for; accepted rows beyond them are dropped as `surplus`."""
    shares: dict[str, float]
    """Share of `rows` by method name."""
    min_yield: float
    student: str | None
    """Reference of the student's model, whose tokenizer counts tokens; None where no filter counts."""


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    raise NotImplementedError
