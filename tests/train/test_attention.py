"""A row in a pass with others is read as if it were alone: packing must not contaminate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distill.train.attention import NAME, apart, obstacle
from distill.train.loss import add_head
from distill.train.passes import collate

LENGTHS = (9, 23, 2, 14)


def rows(seed: int = 1) -> list[dict[str, list[int]]]:
    import torch

    torch.manual_seed(seed)
    made = [torch.randint(5, 90, (length,)).tolist() for length in LENGTHS]
    return [{"input_ids": ids, "labels": [-100, -100, *ids[2:]]} for ids in made]


def packed(some: list[dict[str, list[int]]]) -> dict[str, Any]:
    return collate([{name: [row[name] for row in some] for name in ("input_ids", "labels")}])


def small(kind: str, **settings: Any) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = {
        "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0,
    }  # fmt: skip
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **shape, **settings)).eval()


def alone(model: Any, row: dict[str, list[int]]) -> Any:
    import torch

    return model(input_ids=torch.tensor([row["input_ids"]]), use_cache=False).logits[0]


def test_a_packed_rows_loss_is_its_loss_alone(tiny_model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model).requires_grad_(False).eval()
    assert obstacle(model) is None
    assert add_head(model)
    some = rows()
    each = []
    for row in some:
        ids, labels = (torch.tensor([row[name]]) for name in ("input_ids", "labels"))
        each.append(float(model(input_ids=ids, labels=labels, summed_loss=True)["loss"]))
    with apart(model):
        whole = float(model(**packed(some), summed_loss=True)["loss"])
        last = float(model(**packed([some[1], some[3]]), summed_loss=True)["loss"])
    assert whole == pytest.approx(sum(each), abs=1e-4)
    assert last == pytest.approx(each[1] + each[3], abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("qwen3", {}),
        ("llama", {"attention_bias": True}),
        ("mistral", {"sliding_window": 6}),
        ("gemma3_text", {"sliding_window": 6}),
    ],
)
def test_kinds_of_models_read_each_row_as_if_it_were_alone(kind: str, settings: dict[str, Any]) -> None:
    import torch

    model = small(kind, **settings)
    assert obstacle(model) is None
    some = rows()
    with apart(model), torch.no_grad():
        together = model(
            **{name: value for name, value in packed(some).items() if name != "labels"}, use_cache=False
        ).logits[0]
    for row, part in zip(some, together.split(LENGTHS), strict=True):
        assert torch.allclose(part, alone(model, row), atol=1e-4)


def test_the_gradient_of_a_packed_row_is_its_own(tiny_model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model).requires_grad_(False)
    weight = model.model.layers[1].mlp.up_proj.weight.requires_grad_()
    some = rows()
    for row in some:
        (alone(model, row)[2:] ** 2).sum().backward()
    each, weight.grad = weight.grad.clone(), None
    inputs = packed(some)
    with apart(model):
        logits = model(**{name: value for name, value in inputs.items() if name != "labels"}, use_cache=False).logits
        (logits[inputs["position_ids"] > 1] ** 2).sum().backward()
    assert torch.allclose(weight.grad, each, atol=1e-3)


def test_models_that_cannot_be_kept_apart_are_found_out() -> None:
    assert "linear_attention" in (obstacle(small("qwen3_next", num_experts=4, num_experts_per_tok=2)) or "")
    assert "softcap" in (obstacle(small("gemma2", attn_logit_softcapping=50.0)) or "")
    model = small("llama")
    forward = model.model.layers[0].forward

    def mixing(hidden: Any, *args: Any, **kwargs: Any) -> Any:
        return forward(hidden.cumsum(1), *args, **kwargs)

    model.model.layers[0].forward = mixing
    assert "depends on the row before it" in (obstacle(model) or "")


def test_rounding_is_not_taken_for_a_row_before(tiny_model: Path) -> None:
    """In bfloat16 a row differs from itself alone by more than other rows could make it differ."""
    import torch
    from transformers import AutoModelForCausalLM

    assert obstacle(AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16)) is None


def test_the_model_is_left_as_it_was_found(tiny_model: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model).train()
    before = model.config._attn_implementation
    assert before != NAME
    obstacle(model)
    assert model.training
    assert model.config._attn_implementation == before
    with apart(model):
        assert model.config._attn_implementation == NAME
    assert model.config._attn_implementation == before
