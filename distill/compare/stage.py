"""every arm's items + the ledgers -> report.json, report.md, report.html and the cards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from distill.context import Context
from distill.protocols import Summary
from distill.rows import Frozen

VERSION = 1


class Spec(Frozen):
    name: str
    use: str
    primary: str
    seed: int


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    raise NotImplementedError
