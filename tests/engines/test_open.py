"""What a recipe names is opened, behind the answer store, and nothing heavy is loaded for it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from distill.context import Context, Resolved
from distill.engines import models
from distill.engines.echo import Echo
from distill.engines.open import open_engine, open_scorer
from distill.engines.transformers import Transformers
from distill.errors import EngineError
from distill.protocols import Request, Sampling, ScoreRequest
from distill.rows import Message

ASKED = [Request((Message(role="user", content=word),), Sampling(max_new_tokens=4)) for word in ("a", "b", "a")]


def context(tmp_path: Path, model: Path) -> Context:
    return Context(cache=tmp_path, resolved={"tiny": Resolved("tiny", model, "sha256:0")})


@pytest.mark.parametrize("spec", [Echo(), Transformers(dtype="float32")])
def test_answers_are_kept_under_the_engine_and_found_again(
    spec: Echo | Transformers, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = context(tmp_path, tiny_model)
    engine = open_engine(spec, "tiny", here)
    first = list(engine.generate(ASKED))
    engine.close()
    assert len(first) == 2
    assert len(list((tmp_path / "answers" / engine.name).glob("*.jsonl"))) == 1
    monkeypatch.setattr(models, "load", lambda *_: pytest.fail("the model was loaded for nothing"))
    again = list(open_engine(spec, here.resolved["tiny"], here).generate(ASKED))
    first = [replace(completion, stored=True) for completion in first]
    assert sorted(again, key=lambda c: c.request) == sorted(first, key=lambda c: c.request)


def test_damaged_answers_are_said(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = context(tmp_path, tiny_model)
    engine = open_engine(Echo(), "tiny", here)
    list(engine.generate(ASKED))
    (path,) = (tmp_path / "answers" / engine.name).glob("*.jsonl")
    path.write_bytes(b"rubbish\n" + path.read_bytes()[20:])
    assert len(list(open_engine(Echo(), "tiny", here).generate(ASKED))) == 2
    assert "2 damaged lines" in capsys.readouterr().err


def test_a_scorer_scores_and_echo_cannot(tiny_model: Path, tmp_path: Path) -> None:
    here = context(tmp_path, tiny_model)
    scorer = open_scorer(Transformers(dtype="float32"), "tiny", here, (1,))
    messages = (Message(role="user", content="a"), Message(role="assistant", content="b"))
    (score,) = scorer.score([ScoreRequest("k", messages)], 3)
    assert score.top_logprobs.shape == (2, 3)
    with pytest.raises(EngineError, match="echo"):
        open_scorer(Echo(), "tiny", here)


def test_naming_engines_imports_nothing_heavy() -> None:
    heavy = "torch", "transformers", "peft", "numpy"
    code = f"import sys, distill.engines.open; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
