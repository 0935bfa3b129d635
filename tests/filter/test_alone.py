"""One job at a time writes into a folder, whatever becomes of the one before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from distill.errors import DistillError
from distill.filter.alone import holding, released

HOLDER = """
import os, sys, time
from pathlib import Path
from distill.filter.alone import holding
with holding(Path(sys.argv[1])):
    if os.fork() == 0:
        time.sleep(600)
    print("held", flush=True)
    time.sleep(600)
"""


def test_another_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(out)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        try:
            with pytest.raises(DistillError, match=f"another job is filtering into {out}"), holding(out):
                pass
            process.kill()
            process.wait()
            with holding(out):  # its child is there still
                assert out.with_name(".out.lock").exists()
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # procps's `kill -9 -123` means `kill -9 -1`: everybody
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("queue", "taken"), [("echo 17 here", True), ("echo invalid job >&2; exit 1", False)])
def test_a_job_that_slurm_has_holds_it_on(
    tmp_path: Path, queue: str, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (command := tmp_path / "squeue").write_text(f"#!/bin/sh\n{queue}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    out = tmp_path / "out"
    with holding(out) as held:
        held("17")
    if taken:
        with pytest.raises(DistillError, match="it is job 17 of Slurm"), holding(out):
            pass
        released(out)
    with holding(out):
        pass
    assert not out.with_name(".out.lock").exists()
