"""What code may use, and how it came out: the end of a process and its last words -> a verdict with a reason for people."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import IO, Literal

from pydantic import Field

from distill.rows import Frozen
from distill.sandbox.child import MEMORY
from distill.sandbox.interpreter import without_places
from distill.sandbox.watch import End

LINES, CHARACTERS = 12, 2000
"""Of a detail, at most."""

Status = Literal["passed", "failed", "timeout", "memory", "output", "crashed"]


class Limits(Frozen):
    """What code may use. They decide verdicts, and so belong to what is hashed."""

    seconds: float = Field(10.0, gt=0)
    """Of processor time, and three times as many of waiting; that a machine is busy changes neither."""
    memory_mb: int = Field(512, ge=64)
    """MiB of address space."""
    written_mb: int = Field(64, gt=0)
    """MiB written in all, to files and to its output. Files and folders at a time: 1000."""


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    status: Status
    """`failed`: an error, a failed test or an early end. `output`: wrote too much. `crashed`: ended by a signal."""
    detail: str
    """Why, for people: the last lines of standard error and a reason, printable. Empty when passed."""
    seconds: float
    """Processor time used, start of the interpreter included. Differs a little from run to run, as nothing else here does."""


def judge(end: End, said: bytes, token: bytes, errors: str, limits: Limits) -> Outcome:
    """The verdict on a process that was confined.

    Args:
        said: what came over its line.
        token: what it must have said; empty if its exit status decides.
        errors: the end of its standard error.
    """
    passed = said == token if token else end.status == 0
    killed = -end.status if end.status < 0 else None
    status: Status
    if end.excessive:
        status, reason = "output", f"wrote more than {limits.written_mb} MiB, or made too many files and folders"
    elif end.seconds >= limits.seconds:  # passed or not: what was noticed in time must not decide
        status, reason = "timeout", f"used {limits.seconds:g} s of processor time"
    elif passed:
        return Outcome("passed", "", end.seconds)
    elif end.late:
        status, reason = "timeout", "waited for too long"
    elif said == MEMORY:
        status, reason = "memory", f"needed more than {limits.memory_mb} MiB"
    elif killed:
        status, reason = "crashed", f"ended by signal {signal.Signals(killed).name}"
    elif end.status == 0:
        status, reason = "failed", "ended before its tests did"
    else:
        status, reason = "failed", "" if errors else f"exit status {end.status}"
    return Outcome(status, "\n".join(filter(None, (errors, reason))), end.seconds)


def tail(stream: IO[bytes], folder: str) -> str:
    """The last lines of what was written, printable, and without the places of this machine."""
    size = os.fstat(stream.fileno()).st_size
    text = os.pread(stream.fileno(), 4 * CHARACTERS, max(0, size - 4 * CHARACTERS)).decode("utf-8", "replace")
    lines = without_places(text, folder).rstrip().splitlines()[-LINES:]
    return "\n".join("".join(filter(str.isprintable, line)) for line in lines)[-CHARACTERS:]
