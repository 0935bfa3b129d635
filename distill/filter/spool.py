"""batches of judged rows, put by until a filter has seen all of them: on the disk, or in memory where they are anyway."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from tempfile import TemporaryFile, gettempdir
from typing import Any, Protocol

from distill import rows
from distill.errors import ArtifactError
from distill.protocols import Judged, Verdict
from distill.rows import Row


class Waiting(AbstractContextManager[Any], Protocol):
    def put(self, batch: list[Judged]) -> None: ...

    def __iter__(self) -> Iterator[list[Judged]]: ...


class Memory:
    """Keeps the batches as they are."""

    def __init__(self) -> None:
        self._batches: list[list[Judged]] = []

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *_: object) -> None:
        self._batches.clear()

    def put(self, batch: list[Judged]) -> None:
        self._batches.append(batch)

    def __iter__(self) -> Iterator[list[Judged]]:
        return iter(self._batches)


class Spool:
    """Keeps them in a file that nobody else sees and that goes with the process, a batch a line."""

    def __init__(self) -> None:
        with _disk():
            self._file = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (closed by __exit__)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        with _disk():
            self._file.close()

    def put(self, batch: list[Judged]) -> None:
        with _disk():
            self._file.write(to_line(batch))

    def __iter__(self) -> Iterator[list[Judged]]:
        with _disk():
            self._file.seek(0)  # writes what is still to be written
        for line in self._file:
            yield from_line(line)


@contextmanager
def _disk() -> Iterator[None]:
    """A full disk is an error that names this one: it is often another than that of the result."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ArtifactError(
            "the disk is full: rows wait there until a filter has seen all of them",
            where=gettempdir(),
            hint="free some space there, or name a folder on a larger disk: TMPDIR=FOLDER",
        ) from error


def to_line(batch: list[Judged]) -> str:
    """A batch as one line."""
    return json.dumps([_record(result) for result in batch]) + "\n"


def from_line(line: str) -> list[Judged]:
    """The batch, as it was."""
    return [_result(record) for record in json.loads(line)]


def _record(result: Judged) -> list[Any]:
    verdict = {**vars(result.verdict), "row": None}
    return [rows.to_line(result.row), verdict, result.filter, result.also, result.changed]


def _result(record: list[Any]) -> Judged:
    line, verdict, name, also, changed = record
    row = json.loads(line)
    del row["id"]
    return Judged(Row.model_validate(row), Verdict(**verdict), name, tuple(also), tuple(changed))
