"""The process is watched from before its first step to after its last."""

from __future__ import annotations

import time
from pathlib import Path
from typing import IO

import pytest

from distill.errors import SandboxError
from distill.sandbox import interpreter, watch
from distill.sandbox.outcome import Limits
from distill.sandbox.run import run


def test_nothing_happens_before_somebody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has ended is root's, so that an ordinary user could not see any more what it wrote."""
    real = watch._account

    def account(process: int) -> IO[bytes]:
        time.sleep(0.3)
        assert ") Z" not in Path(f"/proc/{process}/stat").read_text()
        return real(process)

    monkeypatch.setattr(watch, "_account", account)
    assert run("", Limits()).status == "passed"


def test_an_interpreter_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "START", "raise SystemExit('no interpreter')")
    with pytest.raises(SandboxError, match="no interpreter"):
        run("", Limits())
