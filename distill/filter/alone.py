"""One job at a time writes into a folder: a lock beside it, which goes with the process, or with the jobs at Slurm.

.OUT.lock    locked by the process that writes; of jobs that Slurm was given it holds the id of the last
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from distill.errors import DistillError


@contextmanager
def holding(out: Path) -> Iterator[Callable[[str], None]]:
    """Hold the lock; what is given takes the id of a job at Slurm, which holds it on when this process is done.

    Raises:
        DistillError: another job is at it.
    """
    place = out.with_name(f".{out.name}.lock")
    out.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _locked(place, out)
    try:
        if (job := os.pread(descriptor, 100, 0).decode()) and _queued(job):
            raise _taken(out, f"it is job {job} of Slurm: wait for it, or `scancel {job}` and remove {place}")
        os.ftruncate(descriptor, 0)
        yield lambda job: _note(descriptor, job)
    finally:
        if not os.fstat(descriptor).st_size:
            place.unlink(missing_ok=True)
        os.close(descriptor)


def _note(descriptor: int, job: str) -> None:
    # By this descriptor alone: the lock ends when the process closes any other of the same file.
    os.pwrite(descriptor, job.encode(), 0)


def released(out: Path) -> None:
    """The last of the jobs at Slurm is done."""
    out.with_name(f".{out.name}.lock").unlink(missing_ok=True)


def _locked(place: Path, out: Path) -> int:
    """The open file. A lock of `lockf` belongs to this process alone: no child inherits it, and the system lets go of it
    however the process ends."""
    while True:
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            os.close(descriptor)
            raise _taken(out, "wait for it, or name another folder with --out") from error
        except OSError:
            return descriptor  # a file system without locks
        with suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == place.stat().st_ino:
                return descriptor
        os.close(descriptor)  # who held it has removed it meanwhile


def _taken(out: Path, hint: str) -> DistillError:
    return DistillError(f"another job is filtering into {out}", where="--out", hint=hint)


def _queued(job: str) -> bool:
    """Whether Slurm still knows the job; so it is taken to, where nobody can be asked."""
    if shutil.which("squeue") is None:
        return True
    asked = ["squeue", "--noheader", "--jobs", job]
    return bool(subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip())
