"""Data files and suites over them, for the tests of every kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from distill.context import Resolved
from distill.rows import Row
from distill.suites.sourced import Sourced
from distill.suites.suite import Answered

AnySourced = TypeVar("AnySourced", bound=Sourced)


def data(folder: Path, records: list[dict[str, Any]], name: str = "data.jsonl") -> str:
    """A JSON lines file; its reference."""
    path = folder / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


def resolved(suite: Sourced) -> dict[str, Resolved]:
    return {ref: Resolved(ref, Path(ref), "sha256:1", ("mit",)) for ref in suite.references}


def load(suite: Sourced) -> list[Row]:
    return list(suite.load(resolved(suite)))


def said(row: Row) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in row.messages]


def answered(row: Row, *answers: str) -> list[Answered]:
    return [Answered(row, answers)]
