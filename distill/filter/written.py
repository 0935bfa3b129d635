"""judged rows -> kept.jsonl, real.jsonl, dropped.jsonl, and each in the books: the files that every run of a chain leaves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from distill.filter.ledger import Ledger
from distill.protocols import Judged
from distill.rows import to_json, to_line


class Written:
    """Writes each row where it belongs; the ledger's own file is written by who asks for the rows."""

    def __init__(self, folder: Path, ledger: Ledger, files: Sequence[str] = ("kept", "real", "dropped")) -> None:
        self._folder, self._ledger, self._names = folder, ledger, files
        self._stack = ExitStack()
        self._files: dict[str, TextIO] = {}

    def __enter__(self) -> Written:
        for name in self._names:
            file = (self._folder / f"{name}.jsonl").open("w", encoding="utf-8")
            self._files[name] = self._stack.enter_context(file)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def enter(self, result: Judged, real: bool = False) -> None:
        """One row, which is real training data or what was asked for."""
        if result.verdict.keep:
            self._files["real" if real else "kept"].write(to_line(result.row))
        else:
            self._files["dropped"].write(to_json(_dropped(result)) + "\n")
        self._ledger.enter(result, real)


def _dropped(result: Judged) -> dict[str, Any]:
    verdict = result.verdict
    return {
        "filter": result.filter,
        "reason": verdict.reason,
        "score": verdict.score,
        "evidence": verdict.evidence,
        "also": list(result.also),
        "row": json.loads(to_line(result.row)),
    }
