"""file or folder -> its files and the hash of what is in them.

Knows nothing of what the files mean. Hidden files and `__pycache__` do not count: they change while
the data do not.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path

from distill.errors import SourceError
from distill.rows import digest

REMEMBERED = 1 << 20
"""Bytes from which on a file's hash is remembered: smaller ones are read faster than looked up."""
SETTLED = 2.0
"""Seconds a file must have lain still: within them a second change may leave the same time of change."""


def listing(folder: Path) -> list[Path]:
    """All files under a folder, sorted by relative name; links are followed, each real folder once."""
    found: list[tuple[str, Path]] = []
    seen: set[str] = set()

    def refuse(error: OSError) -> None:
        raise SourceError(f"cannot be listed: {error.strerror}", where=str(error.filename)) from error

    for current, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(current)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        # Sorted, so that of two links to one folder the same one is followed on every machine.
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        paths = [Path(current, name) for name in files if not name.startswith(".")]
        found += [(path.relative_to(folder).as_posix(), path) for path in paths]
    return [path for _, path in sorted(found)]


def content_revision(path: Path, cache: Path) -> str:
    """`sha256:<16 hex digits>` of a file's content, or of a folder's relative names and contents.

    Raises:
        SourceError: an empty folder, or something that cannot be read.
    """
    try:
        if path.is_file():
            return f"sha256:{_file_hash(path, cache)[:16]}"
        files = listing(path)
        if not files:
            raise SourceError("the folder is empty", where=str(path))
        pairs = [[file.relative_to(path).as_posix(), _file_hash(file, cache)] for file in files]
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=str(error.filename or path)) from error
    return f"sha256:{digest(pairs)[:16]}"


def hashed(path: Path) -> tuple[int, str]:
    """Bytes of a file, and their sha256 in hex."""
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _file_hash(path: Path, cache: Path) -> str:
    """sha256 of a file's content; that of a large one is looked up by path, size and times of change."""
    stat = path.stat()
    if stat.st_size < REMEMBERED:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    state = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    record = cache / "hashes" / f"{digest(state[0])[:16]}.json"
    known = _recall(record, state)
    if known:
        return known
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if time.time() - max(stat.st_mtime, stat.st_ctime) > SETTLED:
        _remember(record, state, found)
    return found


def _recall(record: Path, state: list[object]) -> str | None:
    """The remembered hash where the record is whole and of this very state."""
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        found = known["sha256"] if known["state"] == state else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) and len(found) == 64 else None


def _remember(record: Path, state: list[object], found: str) -> None:
    """Write one record under a name of its own, then rename: several processes may do so at once."""
    draft = record.with_name(f"{record.name}.{os.urandom(4).hex()}")
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"state": state, "sha256": found}), encoding="utf-8")
        draft.replace(record)
    except OSError:  # a full or read-only cache costs time only: the hash is computed again
        with contextlib.suppress(OSError):
            draft.unlink()
