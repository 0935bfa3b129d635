"""Rows with a common beginning through a model at once: the numbers of each alone, and of whom that cannot be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.context import Context, Resolved, Runtime
from distill.engines import branches, models
from distill.engines.template import encode
from distill.engines.transformers import Transformers, TransformersEngine
from distill.protocols import ScoreRequest, TokenScores
from distill.rows import Message

QUESTIONS = ["What is ice?", "What is ice made of?", "Who wrote Faust?", "Name a river."]
ANSWERS = ["Frozen water.", "Frozen water, of course: it melts at once.", "I do not know."]


def requests() -> list[ScoreRequest]:
    said = [(question, answer) for question in QUESTIONS for answer in ANSWERS]
    return [
        ScoreRequest(f"k{number}", (Message(role="user", content=question), Message(role="assistant", content=answer)))
        for number, (question, answer) in enumerate(said)
    ]


def scored(model: Path, context: Context, asked: Sequence[ScoreRequest]) -> dict[str, TokenScores]:
    engine = TransformersEngine(Resolved("tiny", model, "1"), context, Transformers(dtype="float32"))
    return {one.request: one for one in engine.score(asked, 4)}


@pytest.mark.parametrize("batch_tokens", [8192, 60, 8])
def test_a_row_among_others_has_the_scores_of_itself_alone(
    sharp_model: Path, tmp_path: Path, batch_tokens: int
) -> None:
    context = Context(tmp_path, {}, Runtime(batch_tokens=batch_tokens))
    together = scored(sharp_model, context, requests())
    loaded = models.load(Resolved("tiny", sharp_model, "1"), tmp_path, "float32")
    for request in requests():
        encoded = encode(loaded.tokenizer, request.messages, last_only=True)
        at = [place - 1 for place, label in enumerate(encoded.labels) if label >= 0]
        with torch.no_grad():
            alone = torch.log_softmax(loaded.model(torch.tensor([encoded.ids])).logits[0, at], -1)
        own = together[request.key]
        assert own.tokens.tolist() == [encoded.ids[place + 1] for place in at]
        np.testing.assert_allclose(own.logprobs, alone[range(len(at)), own.tokens.tolist()], atol=1e-4)
        assert own.best.tolist() == alone.argmax(-1).tolist()


def test_several_packs_in_a_batch_are_padded_and_change_nothing(sharp_model: Path, tmp_path: Path) -> None:
    context = Context(tmp_path, {}, Runtime())
    engine = TransformersEngine(Resolved("tiny", sharp_model, "1"), context, Transformers(dtype="float32"))
    asked = [(one, encode(engine._tokens, one.messages, last_only=True)) for one in requests()]
    packs = branches.packed(asked, 100)
    assert len(packs) > 1 and len({len(one.ids) for one in packs}) > 1
    with torch.inference_mode():
        found = branches.score(engine._loaded(), packs, asked, 4, None)
    one_by_one = scored(sharp_model, replace(context, runtime=Runtime(batch_tokens=8)), requests())
    for score in found:
        np.testing.assert_allclose(score.logprobs, one_by_one[score.request].logprobs, atol=1e-4)


class NoMask(torch.nn.Module):
    """A model that does not go by the mask it is given."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.inner, self.config, self.dtype, self.device = model, model.config, model.dtype, model.device

    def forward(self, input_ids: Any, attention_mask: Any = None, **more: Any) -> Any:  # noqa: ARG002
        return self.inner(input_ids=input_ids, **more)

    def get_output_embeddings(self) -> Any:
        return self.inner.get_output_embeddings()


def test_a_model_that_mixes_rows_is_found_out_and_scored_with_padding(
    sharp_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = models.load(Resolved("tiny", sharp_model, "1"), tmp_path, "float32").model
    assert branches.obstacle(loaded) is None
    why = branches.obstacle(NoMask(loaded))
    assert why is not None and "depends on another one" in why
    context = Context(tmp_path, {}, Runtime())
    expected = scored(sharp_model, context, requests())
    monkeypatch.setattr(branches, "obstacle", lambda _: why)
    padded = scored(sharp_model, context, requests())
    assert "rows are scored with padding" in capsys.readouterr().err
    for key, score in expected.items():
        np.testing.assert_allclose(score.logprobs, padded[key].logprobs, atol=1e-4)


def test_a_model_with_other_layers_or_a_short_window_is_not_tried(sharp_model: Path, tmp_path: Path) -> None:
    model = models.load(Resolved("tiny", sharp_model, "1"), tmp_path, "float32").model
    model.config._attn_implementation = "flash_attention_2"
    assert branches.obstacle(model) == "its attention is flash_attention_2"
    model.config._attn_implementation = "sdpa"
    assert branches.window(model) == float("inf")
    model.config.sliding_window = 16
    assert branches.window(model) == 16
