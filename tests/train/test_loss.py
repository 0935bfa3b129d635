from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distill.train import loss
from distill.train.loss import add_head


@pytest.fixture
def model(tiny_model: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_model).requires_grad_(False)


def batch() -> dict[str, Any]:
    import torch

    torch.manual_seed(1)
    ids = torch.randint(5, 1000, (3, 12))
    labels = ids.clone()
    labels[:, :4] = -100
    labels[1, 8:] = -100
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


def gradient(model: Any, value: Any) -> tuple[float, Any]:
    """Of the loss with respect to the last layer's weight."""
    weight = model.model.layers[-1].mlp.down_proj.weight.requires_grad_()
    weight.grad = None
    value(model).backward()
    return float(value(model)), weight.grad.clone()


def test_loss_and_gradient_are_those_of_trl(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from trl.trainer.utils import add_fused_lm_head

    monkeypatch.setattr(loss, "CHUNK", 5)  # several chunks, the last one shorter
    add_fused_lm_head(model)
    theirs, their_slope = gradient(model, lambda m: -m(**batch(), fused_lm_head=True).log_probs.sum())
    assert add_head(model)
    ours, slope = gradient(model, lambda m: m(**batch(), summed_loss=True)["loss"])
    assert ours == pytest.approx(theirs, abs=1e-4)
    assert torch.allclose(slope, their_slope, atol=1e-5)


def test_tokens_that_are_not_learnt_do_not_count(model: Any) -> None:
    assert add_head(model)
    one = batch()
    other = {**one, "labels": one["labels"].clone()}
    other["labels"][0, 6] = -100
    assert float(model(**other, summed_loss=True)["loss"]) < float(model(**one, summed_loss=True)["loss"])
    one["labels"][:] = -100
    assert float(model(**one, summed_loss=True)["loss"]) == 0.0


def test_without_being_asked_the_model_answers_as_before(model: Any) -> None:
    import torch

    before = model(**batch())
    assert add_head(model)
    after = model(**batch())
    assert torch.equal(before.logits, after.logits)
    assert torch.equal(before.loss, after.loss)


def test_models_that_change_their_logits_are_left_alone(model: Any) -> None:
    model.config.final_logit_softcapping = 30.0
    forward = model.forward
    assert not add_head(model)
    assert model.forward == forward


def test_what_the_student_is_sure_of_adds_nothing_and_changes_nothing_else(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(loss, "CHUNK", 5)
    one = batch()
    targets = one["labels"][:, 1:]

    def plainly(surest: float) -> Any:
        """By the formula: the sum of -log p of the learnt tokens with p <= surest."""

        def summed(model: Any) -> Any:
            logits = model(one["input_ids"], attention_mask=one["attention_mask"]).logits[:, :-1]
            own = torch.log_softmax(logits.float(), -1).gather(2, targets.clamp(min=0)[..., None])[..., 0]
            return -own[(targets != -100) & (own.exp() <= surest)].sum()

        return summed

    with torch.no_grad():
        logits = model(one["input_ids"], attention_mask=one["attention_mask"]).logits[:, :-1].float()
        sure = torch.softmax(logits, -1).gather(2, targets.clamp(min=0)[..., None])[..., 0][targets != -100]
    surest = float(sure.median()) * 1.001  # a random model is sure of nothing: half of its tokens are left out
    expected, slope = gradient(model, plainly(surest))
    assert 0 < expected < gradient(model, plainly(1.0))[0]
    assert add_head(model)
    ours, our_slope = gradient(model, lambda m: m(**one, summed_loss=True, surest=surest)["loss"])
    assert ours == pytest.approx(expected, rel=1e-5)
    assert torch.allclose(our_slope, slope, atol=1e-5)
