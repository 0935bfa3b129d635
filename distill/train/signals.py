"""SIGTERM and Ctrl-C while a student learns -> a wish to stop, which the loop fulfils at the end of the running step.

Signals come to some processes and not to others, and at different moments; so a handler only notes the wish, and the
processes tell each other of it (`watch`). What starts the processes knows by a file of each that it listens:

    $DISTILL_LISTENING/<process id>    there while the process finishes its step before it stops
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

LISTENING = "DISTILL_LISTENING"
"""Environment variable: the folder of those files."""
HEARD = (signal.SIGTERM, signal.SIGINT)


@dataclass
class Wish:
    signal: int | None = None
    """The first that came to this process."""
    agreed: int | None = None
    """The one that all processes know of, and by which alone they act: else they would stop at different steps."""


@contextmanager
def heard() -> Iterator[Wish]:
    """Inside, these signals are noted and nothing else. Repeating them changes nothing: launchers do."""
    wish = Wish()
    if threading.current_thread() is not threading.main_thread():
        yield wish  # Python lets no other thread listen
        return

    def note(number: int, _frame: FrameType | None) -> None:
        wish.signal = wish.signal or number

    # What the starter had ignored (a shell does so with Ctrl-C in the background) stays ignored.
    before = {number: signal.signal(number, note) for number in HEARD if signal.getsignal(number) != signal.SIG_IGN}
    file = Path(os.environ[LISTENING]) / str(os.getpid()) if LISTENING in os.environ else None
    if file:
        file.touch()
    try:
        yield wish
    finally:
        if file:
            file.unlink(missing_ok=True)
        for number, handler in before.items():
            signal.signal(number, handler)
