"""The folder that generated code may write in: made empty, counted while it fills, removed whatever is in it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

ENTRIES = 1000
"""Files and folders that code may have at a time. Empty ones take space too, and no limit of the kernel counts them."""
DEPTH = 20
"""Folders in folders."""


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="distill-code-")).resolve()
    try:
        yield folder
    finally:
        remove(folder)


def overfull(folder: Path) -> bool:
    """Whether there is more in the folder than code may have, or something that cannot be looked at."""
    left, waiting = ENTRIES, [(os.fspath(folder), DEPTH)]
    while waiting:
        place, depth = waiting.pop()
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    left -= 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, depth - 1))
        except FileNotFoundError:
            continue
        except OSError:
            return True
        if left < 0 or depth == 0:
            return True
    return False


def remove(folder: Path) -> None:
    """Remove a folder with no recursion, no long paths and no open folders: code may have nested thousands of them.

    Whatever stands in a folder of the folder is moved up first, so that paths stay short.
    """
    number = 0
    while entries := list(os.scandir(folder)):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                Path(entry.path).unlink()
                continue
            Path(entry.path).chmod(0o700)
            for inner in list(os.scandir(entry.path)):
                number += 1
                if inner.is_dir(follow_symlinks=False):
                    Path(inner.path).chmod(0o700)  # a folder that may not be written cannot be moved
                Path(inner.path).rename(folder / f"{number}.moved")
            Path(entry.path).rmdir()
    folder.rmdir()
