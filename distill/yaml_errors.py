"""What a YAML parser complains of -> the sentence without its excerpt, and the line it is about. It reads no file itself."""

from __future__ import annotations

from pathlib import Path


def problem(error: Exception) -> str:
    """What is wrong, in a line."""
    return getattr(error, "problem", None) or str(error).split("\n")[0]


def place(error: Exception, path: Path) -> str:
    """`file:line`; the file alone where the parser knows of no line."""
    mark = getattr(error, "problem_mark", None)
    return f"{path}:{mark.line + 1}" if mark else str(path)
