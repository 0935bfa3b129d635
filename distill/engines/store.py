"""Answers kept as they arrive, so that each is paid for once, whatever becomes of the run.

    cache/answers/<engine name>/<host>-<pid>-<random>.jsonl     one file per writer, append-only, a completion a line

There is no lock: a writer owns its file, a reader merges all of them. A line that a killed writer left unfinished is no
answer. Failures are not kept: they are asked again.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol

from distill.context import Ranks
from distill.engines.batches import share
from distill.errors import ArtifactError
from distill.protocols import Completion, Request


class AnswerStore:
    """The answers of one engine. In memory are keys, places in files and lengths, not texts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged = 0
        """Whole lines that could not be read, and were left out."""
        self._places: dict[str, tuple[Path, int, int]] = {}
        self._lengths: dict[str, int] = {}
        self._read: Counter[Path] = Counter()
        self._file: int | None = None
        self._safe = 0

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
        """Keys of the answers there are, with their numbers of new tokens."""
        return self._lengths

    def get(self, key: str) -> Completion | None:
        """The answer to a request's key, or None where it was never answered."""
        if key not in self._places:
            return None
        path, start, size = self._places[key]
        try:
            with path.open("rb") as file:
                file.seek(start)
                return Completion(**json.loads(file.read(size)))
        except (OSError, ValueError, TypeError) as error:
            raise ArtifactError(
                f"an answer that was there is gone: {error}",
                where=str(path),
                hint="leave the answer store alone while a run uses it, and run again",
            ) from error

    def put(self, completion: Completion) -> None:
        """Append one answer; it is with the operating system when this returns.

        Raises:
            ArtifactError: the disk does not take it; what was appended before is safe.
        """
        line = (json.dumps(asdict(completion)) + "\n").encode()
        try:
            if self._file is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
                self._file = os.open(self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
            _append(self._file, line)
        except OSError as error:
            raise ArtifactError(
                f"an answer could not be kept: {error.strerror or error}; {self._safe} of this process are safe",
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
            completion = Completion(**json.loads(line))
            if completion.finish not in ("stop", "length") or not isinstance(completion.text, str):
                raise ValueError(completion.finish)
            if not isinstance(completion.new_tokens, int):
                raise ValueError(completion.new_tokens)
        except (ValueError, TypeError):
            self.damaged += 1
            return
        if completion.request not in self._places:
            self._places[completion.request] = path, start, len(line)
            self._lengths[completion.request] = completion.new_tokens


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


class Resumable(Protocol):
    """An engine that plans its work from all requests and then leaves out what is known."""

    name: str
    template: str

    def generate(self, requests: Sequence[Request], known: Mapping[str, int]) -> Iterator[Completion]:
        """One completion per distinct request of this rank's share; of the known ones it may leave out any.

        Args:
            known: keys with the new tokens of their answers: the plan may follow from how long each took.
        """
        ...

    def close(self) -> None: ...


class StoredEngine:
    """An engine behind the store: what was answered before is not asked again."""

    def __init__(self, inner: Resumable, store: AnswerStore, ranks: Ranks) -> None:
        self.name, self.template = inner.name, inner.template
        self._inner, self._store, self._ranks = inner, store, ranks

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """One completion per distinct request of this rank's share, stored ones first. All ranks ask the same."""
        keys = list(dict.fromkeys(request.key for request in requests))
        known = self._known_to_all(keys)
        for key in share([key for key in keys if key in known], self._ranks.rank, self._ranks.world):
            stored = self._store.get(key)
            assert stored is not None
            yield replace(stored, stored=True)
        if len(known) == len(keys):
            return
        for completion in self._inner.generate(requests, known):
            if completion.request in known:
                continue
            if completion.finish != "error":
                self._store.put(completion)
            yield completion

    def close(self) -> None:
        """Free the model and the file; the engine can still be used, and loads again."""
        self._inner.close()
        self._store.close()

    def _known_to_all(self, keys: Sequence[str]) -> dict[str, int]:
        """What every rank found in the store: on a slow shared disk one may see less, and all must share out alike."""
        self._store.refresh()
        mine = self._store.known()
        found = Counter(self._ranks.gather([key for key in keys if key in mine]))
        return {key: mine[key] for key, count in found.items() if count == self._ranks.world}
