"""A program, or a solution and its tests -> a verdict, whatever the code does.

The code runs in a process of its own that gives up, before it reads the code, everything but its folder and some limits; the
kernel holds it to that (docs/decisions/sandbox.md). Success of a solution is a token that the process is given after the last
test, not an exit status. Both functions may be called from many threads. What the code is for, and what its tests are
worth, is not known here.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import re
import secrets
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Literal

from distill.errors import SandboxError
from distill.sandbox import interpreter, landlock, syscalls
from distill.sandbox.child import CONFINED
from distill.sandbox.folder import scratch
from distill.sandbox.order import Order, pack
from distill.sandbox.outcome import Limits, Outcome, judge, tail
from distill.sandbox.watch import End, watch

PATIENCE = 3
"""Seconds that code may wait, per second that it may compute. Waiting for a processor does not count."""
IMPORT = re.compile(r"^[ \t]*(?:from|import)[ \t]+([A-Za-z_][\w.]*)", re.MULTILINE)
LINUX = "run this on Linux 5.13 or newer, on x86_64 or aarch64; a virtual machine will do"
LANDLOCK = (
    "Linux 5.13 or newer has it if `landlock` is among the modules of the boot parameter lsm=; "
    "a container must allow the calls landlock_* (Docker's and Podman's profiles do, gVisor does not)"
)
OTHERWISE = "the kernel, the container or a limit of the shell (ulimit) forbids it; see docs/decisions/sandbox.md"
ACCOUNTING = "use a kernel with CONFIG_TASK_IO_ACCOUNTING, as those of all distributions are, and have /proc mounted"


def run(code: str, limits: Limits) -> Outcome:
    """Run a Python program; passed if its exit status is 0. It has nothing to read, and what it prints is thrown away."""
    return _judge("program", [_bytes(code)], b"", [], limits)


def check(solution: str, tests: str, limits: Limits) -> Outcome:
    """Run a solution, then its tests; passed if the last test was reached and none failed.

    Args:
        solution: definitions. Its `__name__` is `solution`.
        tests: statements, functions `test…`, classes `Test…`, unittest's cases. They see the solution's names and may import it.
    """
    token = secrets.token_hex(16).encode()
    judges = list(dict.fromkeys(IMPORT.findall(tests)))
    return _judge("check", [_bytes(solution), _bytes(tests), token], token, judges, limits)


def require() -> None:
    """A SandboxError that says what is missing where code cannot be confined."""
    if sys.platform != "linux" or platform.machine() not in syscalls.MACHINES:
        raise SandboxError(
            f"generated code cannot be confined on {sys.platform} {platform.machine()}", "sandbox", LINUX
        )
    try:
        landlock.abi()
    except OSError as problem:
        raise SandboxError(f"this kernel has no Landlock: {problem.strerror}", "sandbox", LANDLOCK) from None
    if not Path("/proc/self/io").exists():
        raise SandboxError("this kernel does not count what a process writes", "sandbox", ACCOUNTING)


def _judge(
    kind: Literal["program", "check"], parts: list[bytes], token: bytes, judges: list[str], limits: Limits
) -> Outcome:
    require()
    with scratch() as folder, tempfile.TemporaryFile() as errors:
        order: Order = {
            "kind": kind,
            "parent": os.getpid(),
            "machine": platform.machine(),
            "seconds": math.ceil(2 * limits.seconds),
            "memory": limits.memory_mb << 20,
            "written": limits.written_mb << 20,
            "abi": landlock.abi(),
            "folder": str(folder),
            "readable": interpreter.readable(),
            "packages": interpreter.packages(),
            "judges": judges,
            "sizes": [len(part) for part in parts],
        }
        end, said = _run(pack(order, parts), folder, errors, limits)
        text = tail(errors, str(folder))
    if not said.startswith(CONFINED):
        reason = said.decode("utf-8", "replace") or text or f"it ended with status {end.status}"
        hint = LANDLOCK if "landlock" in reason else OTHERWISE
        raise SandboxError(f"the process that runs generated code could not be confined: {reason}", "sandbox", hint)
    return judge(end, said.removeprefix(CONFINED), token, text, limits)


def _run(order: bytes, folder: Path, errors: IO[bytes], limits: Limits) -> tuple[End, bytes]:
    """The end of the process, and what it said to us."""
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryFile() as stream, ours, theirs:
        stream.write(order)
        stream.seek(0)
        process = subprocess.Popen(
            interpreter.command(),
            stdin=stream,
            stdout=theirs.fileno(),
            stderr=errors,
            cwd=folder,
            env=interpreter.environment(str(folder)),
            start_new_session=True,
        )
        patience = PATIENCE * limits.seconds
        end = watch(process.pid, ours.fileno(), folder, limits.seconds, patience, limits.written_mb << 20)
        process.returncode = end.status  # collected already
        theirs.close()
        with contextlib.suppress(ConnectionResetError):  # it ended before its first step
            return end, ours.recv(4096, socket.MSG_WAITALL)
        return end, b""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
