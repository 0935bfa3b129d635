"""Values kept by key as they arrive, so that each is paid for once, whatever becomes of the run.

    FOLDER/<host>-<pid>-<random>.jsonl     one file per writer, append-only, a JSON object a line with its key in it

There is no lock: a writer owns its file, a reader merges all of them. A line that a killed writer left unfinished is
not there. What the values mean is not known here.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distill.errors import ArtifactError


class Journal:
    """JSON objects by key. In memory are keys, places in files and what `weigh` says, not the objects.

    Args:
        key: field of an object that is its key.
        noun: what an object is called in errors.
    """

    def __init__(self, folder: Path, key: str = "key", noun: str = "a score") -> None:
        self.folder = folder
        self.damaged = 0
        """Whole lines that could not be read, and were left out."""
        self._key, self._noun = key, noun
        self._places: dict[str, tuple[Path, int, int]] = {}
        self._weights: dict[str, int] = {}
        self._read: Counter[Path] = Counter()
        self._file: int | None = None
        self._safe = 0

    def weigh(self, record: dict[str, Any]) -> int:  # noqa: ARG002
        """A number to remember of an object.

        Raises:
            ValueError, TypeError: it is none that could have been kept.
        """
        return 0

    def refresh(self) -> None:
        """Take in what all writers have added since the last time."""
        for path in sorted(self.folder.glob("*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read[path])
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._take(path, self._read[path], line)
                    self._read[path] += len(line)

    def known(self) -> Mapping[str, int]:
        """Keys of what there is, each with its weight."""
        return self._weights

    def read(self, key: str) -> dict[str, Any] | None:
        """The object of a key, or None where it was never kept."""
        if key not in self._places:
            return None
        path, start, size = self._places[key]
        try:
            with path.open("rb") as file:
                file.seek(start)
                record: dict[str, Any] = json.loads(file.read(size))
                return record
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"{self._noun} that was there is gone: {error}",
                where=str(path),
                hint=f"leave {self.folder} alone while a run uses it, and run again",
            ) from error

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one object; it is with the operating system when this returns.

        Raises:
            ArtifactError: the disk does not take it; what was appended before is safe.
        """
        line = (json.dumps(record) + "\n").encode()
        try:
            if self._file is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
                self._file = os.open(self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
            _append(self._file, line)
        except OSError as error:
            raise ArtifactError(
                f"{self._noun} could not be kept: {error.strerror or error}; {self._safe} of this process are safe",
                where=str(self.folder),
                hint="make room on the disk and run again: it goes on from there",
            ) from error
        self._safe += 1

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _take(self, path: Path, start: int, line: bytes) -> None:
        try:
            record = json.loads(line)
            key, weight = record[self._key], self.weigh(record)
            if not isinstance(key, str):
                raise TypeError(key)
        except (ValueError, TypeError, KeyError):
            self.damaged += 1
            return
        if key not in self._places:
            self._places[key] = path, start, len(line)
            self._weights[key] = weight


def _append(file: int, line: bytes) -> None:
    """The whole line or nothing of it: what a full disk took of it is cut off again."""
    size = os.fstat(file).st_size
    try:
        written = 0
        while written < len(line):
            written += os.write(file, line[written:])
    except OSError:
        os.ftruncate(file, size)
        raise
