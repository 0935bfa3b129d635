"""The engine `server` with servers of its own: started for a question that has no answer yet, stopped when it is closed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.context import Context, Resolved, Runtime
from distill.endpoint import Endpoint
from distill.engines.open import open_engine
from distill.engines.server import Server, ServerEngine
from distill.engines.store import StoredEngine
from distill.protocols import Request, Sampling
from distill.rows import Message
from tests.engines.serving.test_fleet import servers

START = {"kind": "llama_cpp", "args": ["--threads", 1, "--ctx-size", 4096]}


def opened(smol: Resolved, cache: Path, spec: Server | None = None, **start: Any) -> StoredEngine:
    runtime = Runtime.model_validate({"server": {"start": {**START, **start}}})
    return open_engine(spec or Server(), "smol", Context(cache, {"smol": smol}, runtime))


def asked(count: int, length: int = 4) -> list[Request]:
    sampling = Sampling(max_new_tokens=length)
    return [Request((Message(role="user", content=f"Say {number}."),), sampling) for number in range(count)]


def test_servers_are_there_while_they_are_needed(smol: Resolved, tmp_path: Path) -> None:
    engine = opened(smol, tmp_path)
    assert not servers(tmp_path)
    try:
        answers = list(engine.generate(asked(3)))
        assert len({each.request for each in answers}) == 3 and all(each.finish != "error" for each in answers)
        assert all(each.new_tokens and each.date is None for each in answers)
        (pid,) = servers(tmp_path)
        assert len(list(engine.generate(asked(4)))) == 4 and servers(tmp_path) == [pid]
    finally:
        engine.close()
    assert not servers(tmp_path)
    again = opened(smol, tmp_path)
    assert {each.text for each in again.generate(asked(3))} == {each.text for each in answers}
    assert len(list((tmp_path / "logs").iterdir())) == 1  # nothing was started for what is known


def test_a_crash_in_between_loses_no_answer(smol: Resolved, tmp_path: Path) -> None:
    engine = opened(smol, tmp_path, restarts=1)
    try:
        answers = []
        for answer in engine.generate(asked(24, 16)):
            answers.append(answer)
            if len(answers) == 3:
                os.kill(*servers(tmp_path), signal.SIGKILL)
        assert len({each.request for each in answers}) == 24
        assert [each.error for each in answers if each.finish == "error"] == []
    finally:
        engine.close()


def name(source: Resolved, spec: Server, runtime: dict[str, Any], adapter: Path | None = None) -> str:
    endpoint = Endpoint.model_validate(runtime)
    return ServerEngine(spec, source, Context(Path(), {"smol": source}), endpoint, adapter).name


def test_how_it_is_served_is_not_in_the_key_and_what_changes_answers_is(smol: Resolved, tmp_path: Path) -> None:
    plain = name(smol, Server(), {"start": START})
    for runtime in (
        {"start": {**START, "args": ["--threads", 2], "gpus": 0, "restarts": 5}},
        {"start": {"kind": "vllm", "python": "/x", "gpus": 8, "nodes": "slurm", "environment": {"A": "b"}}},
        {"address": "http://elsewhere:8000/v1"},
    ):
        assert name(smol, Server(), runtime) == plain
    assert name(smol, Server(args=("--dtype", "float16")), {"start": START}) != plain
    assert name(Resolved(smol.ref, smol.path, "sha256:other"), Server(), {"start": START}) != plain
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.safetensors").write_bytes(b"1")
    first = name(smol, Server(), {"start": START}, adapter)
    (adapter / "adapter_model.safetensors").write_bytes(b"2")
    assert len({plain, first, name(smol, Server(), {"start": START}, adapter)}) == 3


@pytest.mark.parametrize("more", [{"address": "http://h/v1"}, {"addresses": ["http://h/v1"]}, {"key_env": "KEY"}])
def test_servers_are_there_or_started_not_both(more: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"start|key"):
        Endpoint.model_validate({"start": START, **more})
