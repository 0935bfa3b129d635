"""Lines of JSON, one a step: appended, read back after any kill, cut back where a training goes on from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; a last one that was cut by a kill is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


def append(path: Path, record: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(_line(record))


def rewind(path: Path, step: int) -> None:
    """Cut a log after a step: what comes is logged again."""
    lines = read_log(path)
    half = path.with_name(f".{path.name}")
    half.write_text("".join(_line(line) for line in lines if line["step"] <= step), encoding="utf-8")
    half.replace(path)


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record) + "\n"
