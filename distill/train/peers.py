"""The processes that train together: who they are, and which of them has gone when the others cannot go on."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from distill.context import Ranks
from distill.errors import DistillError, TrainError

LOOKS = 20
"""How often it is looked whether a process has gone, a tenth of a second apart."""


@contextmanager
def together(ranks: Ranks) -> Iterator[None]:
    """Inside, an error because a process has gone says which it was.

    Raises:
        TrainError: one has gone; the error of the process itself, or the system's log, says why.
    """
    if ranks.world == 1:
        yield
        return
    everyone = ranks.gather([(platform.node(), os.getpid())])
    try:
        yield
    except DistillError:
        raise
    except RuntimeError as error:
        gone = _gone(everyone)
        if not gone:
            raise
        raise TrainError(
            f"{' and '.join(gone)} ended while the others were training",
            where="train",
            hint="its own message stands above; without one it was killed, most often because memory ran out (lower "
            "runtime.per_device_batch). The same command goes on from the last checkpoint",
        ) from error


def _gone(everyone: Sequence[tuple[str, int]]) -> list[str]:
    """Processes of this machine that are no more; one that dies takes a moment to be gone."""
    for _ in range(LOOKS):
        gone = [
            f"rank {rank} (process {process})"
            for rank, (host, process) in enumerate(everyone)
            if host == platform.node() and not _runs(process)
        ]
        if gone:
            return gone
        time.sleep(0.1)
    return []


def _runs(process: int) -> bool:
    """Whether a process is there and not only waited for by its parent."""
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        return True
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"
