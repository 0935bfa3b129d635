"""What each kind of server is told -> a command line, its variables, and the name that questions must give the model.

All are told to draw as a question says and not as the model's own settings do, so that one recipe means one sampling whoever
serves it. `{host}`, `{port}`, `{secret}` and `{on_cpu}` are filled in on the node. It starts nothing.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distill.engines.serving.weights import Weights
from distill.errors import EngineError
from distill.start import Kind, Start, Word, options

OURS = """alias api-key api-key-file config gpu-id host lora lora-modules lora-paths model model-path port served-model-name
tensor-parallel-size tp tp-size uds""".split()
"""Options that distill fills in itself."""
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks of adapters that vLLM makes room for."""
QUIET = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DO_NOT_TRACK": "1", "TOKENIZERS_PARALLELISM": "false"}
"""Of every server: what it loads is on this machine, and it tells nobody."""


@dataclass(frozen=True)
class Command:
    words: tuple[str, ...]
    model: str
    """Name that a question gives the model by."""
    listed: bool = True
    """/v1/models gives that name."""
    on_cpu: dict[str, str] = field(default_factory=dict)
    """Variables where there is no GPU."""
    on_cpu_words: tuple[str, ...] = ()
    """What stands for `{on_cpu}` where there is none."""
    key_env: str | None = None
    """Variable that the server takes its key from."""
    key_file: str | None = None
    """Text of the file that it takes its key from, with `{key}`. With neither, it takes none."""


def command(start: Start, args: Sequence[Word], weights: Weights, name: str) -> Command:
    """The command of one server.

    Args:
        args: options that change answers, as the recipe's `engine.args` has them.
        name: what the model is to be called.

    Raises:
        EngineError: the program is not installed, or an option that distill fills in itself is given.
    """
    for option in options((*start.args, *args)):
        if option in OURS:
            raise EngineError(f"--{option} is filled in by distill", where="engine.args", hint="leave it out")
    more = tuple(map(str, (*start.args, *args)))
    return KINDS[start.kind](start, weights, name, more)


def _vllm(start: Start, weights: Weights, name: str, more: tuple[str, ...]) -> Command:
    words = [_python(start), "-m", "vllm.entrypoints.openai.api_server", "--model", str(weights.model)]
    words += ["--host", "{host}", "--port", "{port}", "--tensor-parallel-size", str(start.gpus or 1)]
    words += ["--generation-config", "vllm", "--served-model-name"]
    if weights.adapter is None:
        words += [name]
    else:
        rank = next((rank for rank in RANKS if rank >= weights.rank), RANKS[-1])
        words += [f"base of {name}", "--enable-lora", "--max-lora-rank", str(rank)]
        words += ["--lora-modules", f"{name}={weights.adapter}"]
    # Left to itself it takes nine tenths of a machine's memory for past tokens; 4 GiB are 28,000 of an 8B model.
    on_cpu = {"VLLM_TARGET_DEVICE": "cpu", "VLLM_CPU_KVCACHE_SPACE": "4"}
    # A question with a seed that is read in parts kills the engine of 0.32 on a CPU ("CPU Generator does not use offset").
    whole = ("--no-enable-chunked-prefill",)
    return Command((*words, "{on_cpu}", *more), name, on_cpu=on_cpu, on_cpu_words=whole, key_env="VLLM_API_KEY")


def _sglang(start: Start, weights: Weights, name: str, more: tuple[str, ...]) -> Command:
    words = [_python(start), "-m", "sglang.launch_server", "--model-path", str(weights.model)]
    words += ["--host", "{host}", "--port", "{port}", "--tp-size", str(start.gpus or 1), "--served-model-name", name]
    words += ["--sampling-defaults", "openai", "--config", "{secret}"]
    return Command((*words, *more), name, key_file="api-key: {key}\n")


def _llama_cpp(start: Start, weights: Weights, name: str, more: tuple[str, ...]) -> Command:
    words = [
        *_llama_program(start),
        "--model",
        str(weights.model),
        "--alias",
        name,
        "--host",
        "{host}",
        "--port",
        "{port}",
    ]
    words += ["--top-k", "0", "--min-p", "0", "--repeat-penalty", "1", "--jinja", "--no-ui"]
    words += ["--parallel", "8", "--ctx-size", "32768", "--kv-unified"]  # shared by all; what is given after wins
    return Command((*words, *more), name, key_env="LLAMA_API_KEY")


def _llama_program(start: Start) -> list[str]:
    if start.python or importlib.util.find_spec("xllamacpp"):
        return [_python(start), str(Path(__file__).with_name("llama_cpp.py"))]
    if program := shutil.which("llama-server"):
        return [program]
    raise EngineError(
        "llama.cpp's server is not installed: neither the package xllamacpp nor a program llama-server on PATH",
        where="runtime.server.start",
        hint="pip install xllamacpp, or name the interpreter that has it: start: {kind: llama_cpp, python: …}",
    )


def _transformers(start: Start, weights: Weights, _name: str, more: tuple[str, ...]) -> Command:
    # It knows a model by its path only, and lists what is in the hub's cache instead of what it serves.
    serve = "from transformers.cli.transformers import main; main()"
    words = [_python(start), "-c", serve, "serve", str(weights.model), "--host", "{host}", "--port", "{port}"]
    return Command((*words, *more), str(weights.model), listed=False)


KINDS: dict[Kind, Callable[[Start, Weights, str, tuple[str, ...]], Command]] = {
    "vllm": _vllm,
    "sglang": _sglang,
    "llama_cpp": _llama_cpp,
    "transformers": _transformers,
}


def _python(start: Start) -> str:
    """The interpreter of the server's own environment, absolute; links are kept, for a venv is known by its link."""
    if start.python is None:
        return sys.executable
    found = shutil.which(Path(start.python).expanduser())
    if found is None:
        raise EngineError(
            f"no interpreter at {start.python}",
            where="runtime.server.start.python",
            hint=f"make an environment for the server, and install {start.kind} into it (docs/servers.md)",
        )
    return str(Path(found).absolute())
