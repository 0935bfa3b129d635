"""Layers that are missed least: the losses are those of models without them, computed in half the time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.context import Context, Resolved, Runtime
from distill.engines import layers, missed, models
from distill.engines.template import IGNORE, Encoded
from distill.errors import DistillError

ROWS = [
    Encoded([3 + (7 * row + place) % 900 for place in range(length)], [IGNORE] * 3 + [5 + row] * (length - 3))
    for row, length in enumerate((6, 11, 8, 17))
]


def load(folder: Path, cache: Path) -> Any:
    return models.load(Resolved("tiny", folder, "0"), cache, "float32").model


def loss(model: Any) -> float:
    total = sum(missed.summed(model, [row])[0] for row in ROWS)
    return total / sum(label != IGNORE for row in ROWS for label in row.labels[1:])


def test_the_loss_without_a_layer_is_that_of_a_model_that_lost_it(tiny_model: Path, tmp_path: Path) -> None:
    for batch_tokens in (8192, 20):
        context = Context(tmp_path, {}, Runtime(batch_tokens=batch_tokens))
        found, whole, tokens = missed.without_each(load(tiny_model, tmp_path), ROWS, (1,), context)
        with torch.no_grad():
            assert whole == pytest.approx(loss(without(tiny_model, tmp_path, [1])), abs=1e-5)
            expected = {layer: loss(without(tiny_model, tmp_path, [1, layer])) for layer in (0, 2, 3)}
        assert found == pytest.approx(expected, abs=1e-5) and tokens == 6 + 11 + 8 + 17 - 12


def without(folder: Path, cache: Path, out: list[int]) -> Any:
    model = load(folder, cache)
    layers.drop(model, out)
    return model


def test_each_layer_is_the_best_one_after_those_before_it(tiny_model: Path, tmp_path: Path) -> None:
    model = load(tiny_model, tmp_path)
    context = Context(tmp_path, {})
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        before = model(ids).logits
        found = missed.least_missed(model, ROWS, 2, context)
        assert torch.equal(model(ids).logits, before), "the model is whole again"
        first, second = found.layers
        singles = {layer: loss(without(tiny_model, tmp_path, [layer])) for layer in range(4)}
        pairs = {layer: loss(without(tiny_model, tmp_path, [first, layer])) for layer in range(4) if layer != first}
    assert first == min(singles, key=singles.__getitem__) and second == min(pairs, key=pairs.__getitem__)
    assert found.losses == pytest.approx((singles[first], pairs[second]), abs=1e-5)


def tiny(kind: str) -> Any:
    """A small random model of an architecture."""
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes: dict[str, dict[str, Any]] = {
        "gpt2": {"n_embd": 16, "n_layer": 4, "n_head": 2},
        "gemma2": {"head_dim": 8, "final_logit_softcapping": 5.0, "sliding_window": 4},
        "gpt_neox": {"tie_word_embeddings": False},
        "opt": {"ffn_dim": 32, "word_embed_proj_dim": 16},
        "qwen2_moe": {"num_experts": 4, "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16},
    }
    common = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 32}
    more = {} if kind == "gpt2" else {**common, "num_key_value_heads": 2}
    config = AutoConfig.for_model(kind, vocab_size=1000, max_position_embeddings=64, **more, **sizes[kind])
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


@pytest.mark.parametrize("kind", ["gpt2", "gemma2", "gpt_neox", "opt", "qwen2_moe"])
def test_any_architecture_can_lose_layers(kind: str, tmp_path: Path) -> None:
    with torch.no_grad():
        found, _, _ = missed.without_each(tiny(kind), ROWS, (2,), Context(tmp_path, {}))
        for layer in (0, 1, 3):
            model = tiny(kind)
            layers.drop(model, (2, layer))
            assert loss(model) == pytest.approx(found[layer], abs=1e-5)
            model.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=3, do_sample=False)


def test_a_model_whose_layers_are_nowhere_is_refused() -> None:
    model = tiny("gpt2")
    model.config.n_layer = 7
    with pytest.raises(DistillError, match="not in one list"):
        layers.stack(model)


def test_the_spec_needs_no_torch() -> None:
    code = "import sys, distill.train.layers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
