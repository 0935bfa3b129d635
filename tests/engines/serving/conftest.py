"""A real server for the tests of whoever asks one: llama.cpp serving SmolLM2, started once a session as a stage starts it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from distill.context import Context, Resolved
from distill.engines.serving.fleet import Fleet, Served
from distill.sources.references import resolve
from distill.start import Start
from tests.conftest import SMOL


@pytest.fixture(scope="session")
def smol(tmp_path_factory: pytest.TempPathFactory) -> Resolved:
    """SmolLM2-135M-Instruct, the packaged GGUF file."""
    folder = tmp_path_factory.mktemp("references")
    return resolve(SMOL, "model", folder, folder, folder)


@pytest.fixture(scope="session")
def llama(smol: Resolved, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """llama.cpp with SmolLM2, known as `smol`; it wants its key. One thread: on a busy machine two wait for each other."""
    start = Start(kind="llama_cpp", args=("--threads", 1, "--ctx-size", 8192))
    fleet = Fleet(start, (), smol, "smol", Context(tmp_path_factory.mktemp("served"), {}))
    yield fleet.open()
    fleet.close()
