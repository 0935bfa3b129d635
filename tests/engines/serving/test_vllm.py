"""vLLM itself on the CPU, out of .venv-vllm (scripts/setup_vllm.sh): minutes, so behind a marker of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distill.context import Context, Resolved
from distill.engines.serving.fleet import Fleet, Served
from distill.export import export
from distill.rows import write_rows
from distill.start import Start
from tests.engines.serving.asking import ask
from tests.engines.serving.keep import alive, soon
from tests.engines.serving.test_fleet import servers
from tests.engines.serving.test_weights import student
from tests.test_export import run_of
from tests.train.small import make_row

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800)]
PYTHON = os.environ.get("DISTILL_VLLM_PYTHON", str(Path(__file__).parents[3] / ".venv-vllm" / "bin" / "python"))

ARGS = ["--enforce-eager", "--max-model-len", 1024, "--max-num-seqs", 16]
"""Compiling takes minutes and is not what is tested."""


def fleet(source: Resolved, cache: Path, **start: Any) -> Fleet:
    spec = Start.model_validate({"kind": "vllm", "python": PYTHON, "args": ARGS, **start})
    return Fleet(spec, (), source, "org/teacher", Context(cache, {}))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vllm")


@pytest.fixture(scope="module")
def vllm(smol: Resolved, cache: Path) -> Iterator[tuple[Fleet, Served]]:
    started = fleet(smol, cache)
    yield started, started.open()
    started.close()
    assert not servers(cache)


def test_a_gguf_file_is_served_and_drawn_from_as_the_question_says(vllm: tuple[Fleet, Served]) -> None:
    _, served = vllm
    assert ask(served, seed=1, temperature=0) == ask(served, seed=2, temperature=0)
    drawn = [ask(served, seed=seed) for seed in (1, 1, 2, 3)]
    assert drawn[0] == drawn[1] and len(set(drawn)) > 1


def test_an_engine_that_lost_its_front_is_ended_and_both_come_back(vllm: tuple[Fleet, Served], cache: Path) -> None:
    started, served = vllm
    before = servers(cache)
    front = min(before)
    assert len(before) > 2
    os.kill(front, signal.SIGKILL)

    def answers() -> bool:
        started.check()
        try:
            return bool(ask(served))
        except OSError:
            return False

    assert soon(lambda: not any(map(alive, before))) and soon(answers, 900)


def test_an_adapter_is_a_teacher(smol: Resolved, cache: Path, tmp_path: Path) -> None:
    """The first greedy token is that of the model that transformers makes of base and adapter, and not the base's."""
    import torch

    from distill.engines import models

    source = student(tmp_path / "student", models.weights_folder(smol, cache), [], strength=0.2)
    loaded = models.load(source, cache, "float32")
    message = [{"role": "user", "content": "Hello"}]
    ids = loaded.tokenizer.apply_chat_template(message, add_generation_prompt=True, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        want = loaded.tokenizer.decode(loaded.model(ids).logits[0, -1].argmax())
        with loaded.model.disable_adapter():  # type: ignore[operator]
            base = loaded.tokenizer.decode(loaded.model(ids).logits[0, -1].argmax())
    started = fleet(source, cache)
    try:
        got = ask(started.open(), "Hello", temperature=0, max_tokens=1)
    finally:
        started.close()
    assert got.strip() == want.strip() != base.strip()


@pytest.mark.parametrize("form", ["adapter", "merged"])
def test_what_is_exported_is_served(form: Any, smol: Resolved, cache: Path, tmp_path: Path) -> None:
    """`vllm serve BASE --lora-modules NAME=ADAPTER`, and the merged model: the student's own first token."""
    import json

    import torch

    from distill.engines import models

    source = student(tmp_path / "out", models.weights_folder(smol, cache), [5, 12], strength=0.1)
    (tmp_path / "out" / "README.md").write_text("---\nlicense: apache-2.0\n---\n\n## Load it\n")
    (tmp_path / "mix").mkdir()
    write_rows(tmp_path / "mix" / "train.jsonl", [make_row(1)])
    folder = tmp_path / form
    export(run_of(tmp_path), folder, cache, form=form)
    loaded = models.load(source, cache, "float32")
    message = [{"role": "user", "content": "Hello"}]
    ids = loaded.tokenizer.apply_chat_template(message, add_generation_prompt=True, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        want = loaded.tokenizer.decode(loaded.model(ids).logits[0, -1].argmax())
    base, adapter = folder, None
    if form == "adapter":
        base = Path(json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"])
        adapter = folder
    spec = Start.model_validate({"kind": "vllm", "python": PYTHON, "args": ARGS})
    started = Fleet(spec, (), Resolved("exported", base, "r"), "org/student", Context(cache, {}), adapter)
    try:
        got = ask(started.open(), "Hello", temperature=0, max_tokens=1)
    finally:
        started.close()
    assert got.strip() == want.strip()
