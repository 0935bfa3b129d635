"""Signals that come to a run while a stage has processes of its own -> passed on to whoever can end well.

A stage's processes are a group of their own, so that Ctrl-C on the terminal reaches the run alone. A training listens
(`train.signals`) and is told itself: its launcher, told in its place, would end at once and take it along. All other
stages are ended as a group; what they have finished is kept.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType


@contextmanager
def passed_on(process: subprocess.Popen[bytes], listening: Path) -> Iterator[list[int]]:
    """Inside, SIGTERM and SIGINT go to the stage; the list fills with what came. A second Ctrl-C ends it at once.

    Args:
        process: the leader of the stage's group.
        listening: folder where those that listen have a file by their process id.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came  # Python lets no other thread listen
        return

    def tell(number: int, _frame: FrameType | None) -> None:
        impatient = number == signal.SIGINT in came
        came.append(number)
        listeners = [int(path.name) for path in listening.iterdir()]
        with suppress(ProcessLookupError):
            if impatient or not listeners:
                os.killpg(process.pid, signal.SIGKILL if impatient else number)
        for listener in listeners:
            with suppress(ProcessLookupError):
                os.kill(listener, number)

    # What a shell had this process ignore, as Ctrl-C in the background, stays ignored.
    wanted = [number for number in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, tell) for number in wanted}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def prepare_launcher() -> None:
    """In what a run starts, before it is itself: it dies with the run, and SIGTERM to all does not end it first."""
    die_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def die_with_parent(by: signal.Signals = signal.SIGKILL) -> None:
    """Linux: a stage does not outlive the run that started it, so that a killed run leaves nothing writing."""
    if sys.platform == "linux":
        death_signal = 1
        ctypes.CDLL(None).prctl(death_signal, by)
