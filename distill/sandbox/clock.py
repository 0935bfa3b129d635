"""How long a process has computed, and how long it has waited: two times that do not depend on how busy the machine is."""

from __future__ import annotations

import time
from pathlib import Path

PROCESSES = Path("/proc")
SCHEDULER_CLOCK = 2
"""Of the clocks of a process (CPUCLOCK_SCHED), the exact one. RLIMIT_CPU counts by the timer's ticks: on a busy machine with 2
processors it ended code of 1 s after 0.76 s."""


def processor_time(process: int) -> float:
    """Seconds that all threads of a process have used so far."""
    return time.clock_gettime(~process << 3 | SCHEDULER_CLOCK)


class Waiting:
    """The time in which a process neither computed nor queued for a processor, added up from look to look."""

    def __init__(self, process: int) -> None:
        self._tasks = PROCESSES / str(process) / "task"
        self._seconds = 0.0
        self._clock, (self._wanted, _) = time.monotonic(), self._look()

    def seconds(self) -> float:
        """So far. While a thread is ready to run nothing is added: how long it queued is counted when it has run."""
        clock, (wanted, ready) = time.monotonic(), self._look()
        if not ready:
            self._seconds += max(0.0, clock - self._clock - max(0.0, wanted - self._wanted))
            self._clock, self._wanted = clock, wanted
        return self._seconds

    def _look(self) -> tuple[float, bool]:
        """Seconds that the threads have run or queued, and whether one does now. A kernel that does not count says 0."""
        total, ready = 0, False
        for task in self._tasks.glob("*"):
            try:
                ran, queued, _ = (task / "schedstat").read_bytes().split()
                state = (task / "stat").read_bytes().rpartition(b")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):  # the thread has ended
                continue
            total += int(ran) + int(queued)
            ready |= state == b"R"
        return total / 1e9, ready
