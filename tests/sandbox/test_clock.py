"""Times of processes that share one processor."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from distill.sandbox import clock
from distill.sandbox.clock import Waiting, processor_time

Start = Callable[[str], int]


@pytest.fixture
def start() -> Iterator[Start]:
    """Programs that run on one and the same processor."""
    processes: list[subprocess.Popen[bytes]] = []
    processor = min(os.sched_getaffinity(0))

    def start(code: str) -> int:
        pinned = f"import os; os.sched_setaffinity(0, [{processor}]); os.write(1, b'.')\n{code}"
        processes.append(subprocess.Popen([sys.executable, "-c", pinned], stdout=subprocess.PIPE))
        assert processes[-1].stdout is not None
        processes[-1].stdout.read(1)
        return processes[-1].pid

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_only_time_neither_run_nor_queued_is_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of two threads, one of them ended, as the kernel would describe it."""
    task = tmp_path / "7" / "task" / "7"
    task.mkdir(parents=True)
    (tmp_path / "7" / "task" / "8").mkdir()
    now = 100.0
    monkeypatch.setattr(clock, "PROCESSES", tmp_path)
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def describe(ran: float, queued: float, state: str) -> None:
        (task / "schedstat").write_text(f"{int(ran * 1e9)} {int(queued * 1e9)} 5\n")
        (task / "stat").write_text(f"7 (a (b) R) {state} 1 7 7\n")

    describe(2, 1, "S")
    waiting = Waiting(7)
    now += 10
    describe(5, 5, "S")
    assert waiting.seconds() == pytest.approx(3)
    now += 10
    describe(5, 5, "R")
    assert waiting.seconds() == pytest.approx(3)
    now += 10
    describe(6, 20, "S")
    assert waiting.seconds() == pytest.approx(7)


def share_of_waiting(process: int) -> float:
    """Of a second or so, after the start."""
    time.sleep(0.3)
    waiting, began = Waiting(process), time.monotonic()
    while time.monotonic() < began + 1:
        waiting.seconds()
        time.sleep(0.05)
    return waiting.seconds() / (time.monotonic() - began)


def test_code_that_computes_does_not_wait_however_little_it_gets(start: Start) -> None:
    busy = [start("while True: pass") for _ in range(4)]
    before = processor_time(busy[0])
    assert share_of_waiting(busy[0]) < 0.1
    assert processor_time(busy[0]) - before < 0.6


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(99)",
        "import time\nwhile True: time.sleep(0.2)",
        "import threading; threading.Thread(target=threading.Event().wait).start()",
    ],
)
def test_code_that_sleeps_waits(code: str, start: Start) -> None:
    assert share_of_waiting(start(code)) > 0.2


def test_a_thread_that_computes_while_the_others_sleep_is_not_waiting(start: Start) -> None:
    code = "import threading\ndef f():\n while True: pass\nthreading.Thread(target=f).start()"
    assert share_of_waiting(start(code)) < 0.1
