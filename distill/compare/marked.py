"""text -> Markdown in which nothing that a model or a user wrote is markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """First column to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return inline(text) if not text.startswith("**") else text


def inline(text: str) -> str:
    """One line, nothing in it markup or a column's end; brackets stay, since an interval is no link."""
    return re.sub(r"([\\`*<>|#~]|(?<=\])\()", r"\\\1", re.sub(r"\s+", " ", text))


def fenced(text: str) -> str:
    """A block whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
