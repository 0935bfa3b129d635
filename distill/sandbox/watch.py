"""The confined process from outside: ended where it goes past a limit that the kernel does not hold, and collected."""

from __future__ import annotations

import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from distill.sandbox.folder import overfull
from distill.sandbox.kernel import syscall

TICK = 50
"""Milliseconds between two looks at a process. One that ends sooner is looked at when it has ended."""
SCHEDULER_CLOCK = 2
"""Of the clocks of a process (CPUCLOCK_SCHED), the exact one. RLIMIT_CPU counts by the timer's ticks: on a busy machine with 2
processors it ended code of 1 s after 0.76 s."""


@dataclass(frozen=True)
class End:
    """How a process ended."""

    status: int
    """Exit status, or the negative number of the signal that killed it."""
    seconds: float
    """Processor time that it used."""
    late: bool
    """It was ended because it went on for too long by the clock on the wall."""
    excessive: bool
    """It wrote more than it may, or made too many files."""


def watch(process: int, folder: Path, seconds: float, patience: float, written: int) -> End:
    """Wait for the end of a child process, or bring it about, and collect it. Whatever happens here, it does not outlive this call.

    Args:
        seconds: processor time that it may use.
        patience: seconds until it is late.
        written: bytes that it may write in all, to files and to its output.
    """
    slow = late = excessive = False
    try:
        descriptor = syscall("pidfd_open", process, 0)
        try:
            last = time.monotonic() + patience
            end = select.poll()
            end.register(descriptor, select.POLLIN)
            while not (end.poll(TICK) or slow or late or excessive):
                slow = processor_time(process) >= seconds
                late = time.monotonic() > last
                excessive = _exceeds(process, folder, written)
            os.kill(process, signal.SIGKILL)  # its number is its own until it is collected
            end.poll()
        finally:
            os.close(descriptor)
        excessive = excessive or _exceeds(process, folder, written)
    finally:
        os.kill(process, signal.SIGKILL)
        _, status, usage = os.wait4(process, 0)
    return End(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, late, excessive)


def processor_time(process: int) -> float:
    """Seconds that all threads of a process have used so far."""
    return time.clock_gettime(~process << 3 | SCHEDULER_CLOCK)


def bytes_written(process: int) -> int:
    """Bytes that a process, running or not yet collected, has had written anywhere: files, pipes and the void."""
    lines = Path(f"/proc/{process}/io").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("wchar:")).split()[1])


def _exceeds(process: int, folder: Path, written: int) -> bool:
    return bytes_written(process) >= written or overfull(folder)
