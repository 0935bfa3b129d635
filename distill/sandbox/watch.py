"""The confined process from outside: ended where it goes past a limit that the kernel does not hold, and collected."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from distill.sandbox.clock import Waiting, processor_time
from distill.sandbox.folder import overfull
from distill.sandbox.kernel import syscall

TICK = 50
"""Milliseconds between two looks at a process. One that ends sooner is looked at when it has ended."""


@dataclass(frozen=True)
class End:
    """How a process ended."""

    status: int
    """Exit status, or the negative number of the signal that killed it."""
    seconds: float
    """Processor time that it used."""
    late: bool
    """It was ended because it waited for too long."""
    excessive: bool
    """It wrote more than it may, or made too many files."""


def watch(process: int, line: int, folder: Path, seconds: float, patience: float, written: int) -> End:
    """Wait for the end of a child process, or bring it about, and collect it. Whatever happens here, it does not outlive this call.

    Args:
        line: where the process waits for a byte before it does anything: only what still runs can be opened to be read to its end.
        seconds: processor time that it may use.
        patience: seconds that it may wait.
        written: bytes that it may write in all, to files and to its output.
    """
    slow = late = excessive = False
    try:
        with contextlib.suppress(PermissionError), _account(process) as account, _descriptor(process) as descriptor:
            os.write(line, b".")
            waiting = Waiting(process)
            end = select.poll()
            end.register(descriptor, select.POLLIN)
            while not (end.poll(TICK) or slow or late or excessive):
                slow = processor_time(process) >= seconds
                late = waiting.seconds() >= patience
                excessive = bytes_written(account) >= written or overfull(folder)
            os.kill(process, signal.SIGKILL)  # its number is its own until it is collected
            end.poll()
            excessive = excessive or bytes_written(account) >= written or overfull(folder)
    finally:
        os.kill(process, signal.SIGKILL)
        _, status, usage = os.wait4(process, 0)
    return End(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, late, excessive)


def bytes_written(account: IO[bytes]) -> int:
    """Bytes that a process has had written anywhere so far: to files, pipes and the void."""
    lines = os.pread(account.fileno(), 4096, 0).splitlines()
    return int(next(line for line in lines if line.startswith(b"wchar:")).split()[1])


def _account(process: int) -> IO[bytes]:
    """What a process reads and writes. A PermissionError if it is gone already, as an interpreter that does not start is."""
    return Path(f"/proc/{process}/io").open("rb", buffering=0)


@contextlib.contextmanager
def _descriptor(process: int) -> Iterator[int]:
    """Of a process, which poll(2) can wait for."""
    descriptor = syscall("pidfd_open", process, 0)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
