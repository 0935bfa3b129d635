"""two expressions -> are they the same: `same("3/4", "0.75")`, by math-verify in a process of its own.

May be called from any thread. What cannot be told is an error, never "different". The limit is processor time, so that
a busy machine judges as an idle one does. It knows nothing of how an expression was found in a text.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distill.errors import DistillError
from distill.mathematics.final import LONGEST

SECONDS = 5.0
"""Processor time that one comparison may take."""
WORKER = Path(__file__).with_name("worker.py")


class UndecidedError(Exception):
    """It cannot be told whether two expressions are the same."""


def same(reference: str, answer: str) -> bool:
    """Whether an answer is mathematically the same as the reference; a percent sign that one lacks makes no difference.

    Raises:
        UndecidedError: an expression that cannot be read, or a comparison beyond all limits.
    """
    left, right = " ".join(reference.split()), " ".join(answer.split())
    if left == right:
        return True
    if max(len(left), len(right)) > LONGEST:
        raise UndecidedError(f"longer than {LONGEST} characters")
    found = _asked(left, right)
    if not found and left.endswith("%") != right.endswith("%"):
        found = _asked(left.rstrip("\\% "), right.rstrip("\\% "))
    return found


def _asked(reference: str, answer: str) -> bool:
    with _worker() as worker:
        verdict = worker.ask(reference, answer)
    if isinstance(verdict, str):
        raise UndecidedError(verdict)
    return verdict


class Worker:
    """A process that compares, one pair at a time."""

    def __init__(self) -> None:
        command = [sys.executable, str(WORKER), str(SECONDS)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8")
        assert self.process.stdin and self.process.stdout and self.process.stderr
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        if self.stdout.readline() != "ready\n":
            last = self.process.stderr.read().strip().rpartition("\n")[2]
            raise DistillError(f"math-verify does not start: {last}", where="check of mathematics")

    def ask(self, reference: str, answer: str) -> bool | str:
        """Its verdict, or why there is none."""
        try:
            self.stdin.write(json.dumps([reference, answer]) + "\n")
            self.stdin.flush()
            line = self.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self.process.wait()
            timely = code != -signal.SIGPROF
            return f"its process ended with {code}" if timely else f"more than {SECONDS:g} s of processor time"
        verdict: bool | str = json.loads(line)
        return verdict


_idle: list[Worker] = []
_lock = threading.Lock()


@contextmanager
def _worker() -> Iterator[Worker]:
    """A process that nobody else is asking; it takes a second to start, and is used again."""
    with _lock:
        worker = _idle.pop() if _idle else None
    worker = worker or Worker()
    yield worker
    if worker.process.poll() is None:
        with _lock:
            _idle.append(worker)
