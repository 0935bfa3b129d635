"""Command lines by kind: the model, the place, plain sampling, no key among the words."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from distill.engines.serving import commands
from distill.engines.serving.commands import Command, command
from distill.engines.serving.weights import Weights
from distill.errors import EngineError
from distill.start import Kind, Start

MODEL = Weights(Path("/models/teacher"))


def value(made: Command, option: str) -> str:
    return made.words[made.words.index(option) + 1]


def made(kind: Kind, weights: Weights = MODEL, args: tuple[str | int, ...] = (), **start: object) -> Command:
    return command(Start.model_validate({"kind": kind, "python": sys.executable, **start}), args, weights, "org/t")


def test_vllm() -> None:
    start = Start(kind="vllm", python=sys.executable, gpus=4, args=("--max-num-seqs", 512))
    vllm = command(start, ("--quantization", "fp8"), MODEL, "org/t")
    assert vllm.words[:5] == (sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", "/models/teacher")
    assert (value(vllm, "--tensor-parallel-size"), value(vllm, "--served-model-name")) == ("4", "org/t")
    assert value(vllm, "--generation-config") == "vllm"
    assert (value(vllm, "--host"), value(vllm, "--port")) == ("{host}", "{port}")
    assert vllm.words[-4:] == ("--max-num-seqs", "512", "--quantization", "fp8")
    assert (vllm.model, vllm.key_env, vllm.listed) == ("org/t", "VLLM_API_KEY", True)


@pytest.mark.parametrize(("rank", "room"), [(1, "1"), (6, "8"), (32, "32"), (48, "64"), (600, "512")])
def test_vllm_puts_an_adapter_on_and_is_asked_by_its_name(rank: int, room: str) -> None:
    vllm = made("vllm", Weights(Path("/models/base"), Path("/students/a"), rank))
    assert value(vllm, "--lora-modules") == "org/t=/students/a" and value(vllm, "--max-lora-rank") == room
    assert "--enable-lora" in vllm.words and value(vllm, "--served-model-name") != "org/t"
    assert vllm.model == "org/t"


def test_sglang_takes_its_key_from_a_file() -> None:
    sglang = made("sglang", gpus=2)
    assert (value(sglang, "--tp-size"), value(sglang, "--sampling-defaults")) == ("2", "openai")
    assert value(sglang, "--config") == "{secret}" and sglang.key_file == "api-key: {key}\n"


def test_llama_cpp_draws_from_all_tokens() -> None:
    llama = made("llama_cpp", Weights(Path("/models/t.gguf")))
    assert (value(llama, "--top-k"), value(llama, "--min-p"), value(llama, "--alias")) == ("0", "0", "org/t")
    assert llama.words[1].endswith("llama_cpp.py") and llama.key_env == "LLAMA_API_KEY"


def test_llama_cpp_is_xllamacpp_or_a_program_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    start = Start(kind="llama_cpp")
    assert command(start, (), MODEL, "t").words[0] == sys.executable
    monkeypatch.setattr(commands.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert command(start, (), MODEL, "t").words[0] == "/usr/bin/llama-server"
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(EngineError, match="pip install xllamacpp"):
        command(start, (), MODEL, "t")


def test_transformers_knows_its_model_by_the_path_and_lists_none() -> None:
    serve = made("transformers")
    assert (serve.model, serve.listed) == ("/models/teacher", False)
    assert (serve.key_env, serve.key_file) == (None, None)


def test_an_interpreter_that_is_not_there_is_said_before_anything_starts() -> None:
    with pytest.raises(EngineError, match="no interpreter at /no/bin/python"):
        made("vllm", python="/no/bin/python")


def test_an_interpreter_keeps_its_link_for_that_is_what_makes_it_a_virtual_environment(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    assert made("vllm", python=str(link)).words[0] == str(link)


@pytest.mark.parametrize("option", ["--port", "--api-key=x", "--tp", "--served_model_name", "--model"])
def test_what_distill_fills_in_is_not_to_be_given(option: str) -> None:
    with pytest.raises(EngineError, match="filled in by distill"):
        made("vllm", args=(option, 1))
