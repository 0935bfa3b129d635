from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from distill.passing import passed_on

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


@pytest.fixture(autouse=True)
def _ctrl_c() -> Iterator[None]:
    """As on a terminal, also where these tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def sleeping(code: str = "import time; print(flush=True); time.sleep(60)") -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", code], process_group=0, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stage_where_nobody_listens_is_ended_as_a_group(tmp_path: Path, number: int) -> None:
    before = signal.getsignal(number)
    with sleeping() as process, passed_on(process, tmp_path) as came:
        os.kill(os.getpid(), number)
        assert process.wait(timeout=30) != 0
    assert came == [number]
    assert signal.getsignal(number) is before


def test_those_that_listen_are_told_and_their_launcher_is_not(tmp_path: Path) -> None:
    with sleeping() as launcher, sleeping() as listener:
        (tmp_path / str(listener.pid)).touch()
        (tmp_path / str(2**22 + 1)).touch()  # one that has gone
        with passed_on(launcher, tmp_path):
            os.kill(os.getpid(), signal.SIGTERM)
            assert listener.wait(timeout=30) == -signal.SIGTERM
        assert launcher.poll() is None


def test_a_second_ctrl_c_ends_even_what_does_not_listen(tmp_path: Path) -> None:
    with sleeping(DEAF) as process, passed_on(process, tmp_path) as came:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert process.poll() is None, "launchers repeat SIGTERM"
        (tmp_path / str(process.pid)).touch()
        came.append(signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert process.wait(timeout=30) == -signal.SIGKILL
