"""Rows join and leave the cache of every kind of model without a trace."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from distill.engines.cache import joinable, joined, new_cache
from distill.engines.decode import decode
from distill.engines.lane import Lane, Row
from distill.protocols import Request, Sampling
from distill.rows import Message

COMMON = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
}
KINDS: dict[str, dict[str, Any]] = {
    "Qwen3": {},
    "Gemma3Text": {"sliding_window": 6, "layer_types": ["sliding_attention", "full_attention"] * 2},
    "Lfm2": {"layer_types": ["conv", "full_attention"] * 2},
    "Qwen3Next": {
        "linear_num_value_heads": 4,
        "linear_num_key_heads": 2,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "num_experts": 2,
        "num_experts_per_tok": 1,
        "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 16,
    },
    "FalconH1": {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8},
    "GPT2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64},
}
RIGID = {"FalconH1"}
"""Layers of theirs hold columns and a state at once: no row joins them."""


def model_of(kind: str) -> Any:
    torch.manual_seed(0)
    name = kind.removesuffix("Text")
    config = getattr(transformers, f"{kind}Config")(**(COMMON if kind != "GPT2" else {"vocab_size": 97}), **KINDS[kind])
    made = getattr(transformers, "GPT2LMHeadModel" if kind == "GPT2" else f"{name}ForCausalLM")(config)
    for weight in made.parameters():
        weight.data *= 2  # so that what is said depends on what was read
    return made.eval()


def some_rows(count: int) -> list[Row]:
    draw = torch.Generator().manual_seed(2)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high, (1,), generator=draw))

    made = []
    for seed in range(count):
        prompt = torch.randint(1, 97, (number(1, 20),), generator=draw).tolist()
        sampling = Sampling(temperature=1, max_new_tokens=number(1, 40))
        made.append(Row(Request((Message(role="user", content="x"),), sampling, seed=seed), prompt))
    return sorted(made, key=lambda row: -row.reserved)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_among_others_says_what_it_says_alone(kind: str) -> None:
    model, count = model_of(kind), 20
    assert joinable(model.config) == (kind not in RIGID)
    together, alone = some_rows(count), some_rows(count)
    list(decode(model, Lane(together, 220, kind in RIGID), lambda row: row.answer[-1] == 3, 97))
    for row in alone:
        list(decode(model, Lane([row], 220, kind in RIGID), lambda row: row.answer[-1] == 3, 97))
    assert [row.answer for row in together] == [row.answer for row in alone]
    assert len({token for row in alone for token in row.answer}) > 40


def test_a_row_that_is_done_runs_beyond_no_position_of_the_model() -> None:
    config = transformers.GPT2Config(vocab_size=97, n_embd=32, n_layer=2, n_head=4, n_positions=20)
    model = transformers.GPT2LMHeadModel(config).eval()
    sizes = [(10, 10)] + [(1, 19)] * 15  # the first is done nine steps before the others
    rows = [
        Row(Request((Message(role="user", content="x"),), Sampling(max_new_tokens=new), seed=seed), [5] * prompt)
        for seed, (prompt, new) in enumerate(sizes)
    ]
    assert len(list(decode(model, Lane(rows, 1000), lambda _: False, 97))) == 16
    assert [len(row.answer) for row in rows] == [new for _, new in sizes]


def test_equal_prompts_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from distill.engines import decode as module

    model, shapes = model_of("Qwen3"), []
    padded = module._left_padded

    def noted(prompts: Any, device: Any) -> Any:
        shapes.append(len(prompts))
        return padded(prompts, device)

    monkeypatch.setattr(module, "_left_padded", noted)
    rows = [
        Row(Request((Message(role="user", content="x"),), Sampling(temperature=1, max_new_tokens=9), seed=seed), prompt)
        for seed, prompt in enumerate([[5, 6, 7], [5, 6, 7], [8, 9], [5, 6, 7], [8, 9]])
    ]
    list(decode(model, Lane(rows, 1000), lambda _: False, 97))
    assert shapes == [2]
    for row in rows:
        alone = Row(row.request, row.prompt)
        list(decode(model, Lane([alone], 1000), lambda _: False, 97))
        assert alone.answer == row.answer


@pytest.mark.parametrize("kept", [True, False])
def test_columns_end_where_the_longest_row_ends(kept: bool) -> None:
    config = model_of("Qwen3").config

    def filled(rows: int, width: int, value: float) -> Any:
        cache = new_cache(config)
        for layer in range(4):
            cache.update(torch.full((rows, 2, width, 8), value), torch.full((rows, 2, width, 8), value), layer)
        return cache

    old = filled(3, 9, 1.0) if kept else None
    cache = joined(old, torch.tensor([2, 0]), [filled(1, 4, 2.0), filled(2, 6, 3.0)], 6, 10)
    keys, values = cache.update(torch.full((5, 2, 1, 8), 4.0), torch.full((5, 2, 1, 8), 4.0), 0)
    old_row, blank = [float(kept)] * 6, 0.0
    expected = [old_row, old_row, [blank] * 2 + [2.0] * 4, [3.0] * 6, [3.0] * 6]
    assert keys[:, 1, :, 3].tolist() == values[:, 0, :, 5].tolist() == [[*row, 4.0] for row in expected]
    assert cache.get_seq_length() == 7 and cache.layers[0].keys.shape == (5, 2, 10, 8)
