"""Adapters: the same seed gives the same one, and none is written that is broken or idle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from distill.context import Context, Resolved
from distill.engines import adapters, models
from distill.engines.open import open_engine
from distill.engines.transformers import Transformers
from distill.errors import SourceError, TrainError
from distill.protocols import Request, Sampling
from distill.rows import Message

if TYPE_CHECKING:
    from peft import PeftModel


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> models.Loaded:
    return models.load(Resolved("tiny", tiny_model, "sha256:0"), tmp_path, "bfloat16")


def attach(loaded: models.Loaded, seed: int = 3, target: str | tuple[str, ...] = "all-linear") -> PeftModel:
    return adapters.attach(loaded.model, 4, 8, 0.0, target, seed)


def trained(worn: PeftModel, value: float = 0.5) -> PeftModel:
    with torch.no_grad():
        for name, weight in worn.named_parameters():
            if "lora_B" in name:
                weight.fill_(value)
    return worn


def test_a_fresh_adapter_is_float32_and_drawn_from_the_seed_alone(tiny_model: Path, tmp_path: Path) -> None:
    drawn = []
    for seed in (3, 3, 4):
        torch.manual_seed(torch.seed() % 1000)
        before = torch.get_rng_state()
        loaded = models.load(Resolved("tiny", tiny_model, "sha256:0"), tmp_path, "bfloat16")
        worn = attach(loaded, seed)
        assert torch.equal(before, torch.get_rng_state())
        weights = {name: weight for name, weight in worn.named_parameters() if weight.requires_grad}
        assert weights and all("lora" in name and weight.dtype == torch.float32 for name, weight in weights.items())
        drawn.append(torch.cat([weight.detach().flatten() for weight in weights.values()]))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_what_is_saved_is_loaded(model: models.Loaded, tiny_model: Path, tmp_path: Path) -> None:
    ids = torch.arange(8)[None]
    worn = trained(attach(model)).eval()
    adapters.save(worn, tmp_path / "adapter")
    fresh = models.load(Resolved("tiny", tiny_model, "sha256:0"), tmp_path, "bfloat16", (), tmp_path / "adapter")
    with torch.inference_mode():
        assert torch.equal(worn(ids).logits, fresh.model(ids).logits)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    assert config["target_modules"] == sorted(config["target_modules"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


def test_saving_again_replaces_the_adapter_and_its_fingerprint(model: models.Loaded, tmp_path: Path) -> None:
    worn = attach(model)
    adapters.save(trained(worn, 0.5), tmp_path / "adapter")
    before = adapters.fingerprint(tmp_path / "adapter")
    adapters.save(trained(worn, 0.25), tmp_path / "adapter")
    assert adapters.fingerprint(tmp_path / "adapter") != before
    adapters.save(trained(worn, 0.5), tmp_path / "adapter")
    assert adapters.fingerprint(tmp_path / "adapter") == before


@pytest.mark.parametrize(("value", "match"), [(0.0, "changes nothing"), (float("nan"), "not numbers")])
def test_a_broken_or_idle_adapter_is_not_written(
    model: models.Loaded, tmp_path: Path, value: float, match: str
) -> None:
    with pytest.raises(TrainError, match=match):
        adapters.save(trained(attach(model), value), tmp_path / "adapter")
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_that_was_not_put_together_is_not_written(model: models.Loaded, tmp_path: Path) -> None:
    """ZeRO-3 leaves weights empty between steps, and peft writes them so."""
    worn = trained(attach(model))
    weights = adapters.gather(worn)
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    adapters.save(worn, tmp_path / "adapter", weights)
    name = next(iter(weights))
    for broken in ({**weights, name: torch.empty(0)}, {}):
        with pytest.raises(TrainError, match="lie in shards"):
            adapters.save(worn, tmp_path / "broken", broken)
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_an_adapter_of_another_model_is_refused(model: models.Loaded, tiny_model: Path, tmp_path: Path) -> None:
    adapters.save(trained(attach(model)), tmp_path / "adapter")
    for drop_layers in ((3,), (0, 1)):
        with pytest.raises(SourceError, match="another model"):
            models.load(
                Resolved("tiny", tiny_model, "sha256:0"), tmp_path, "float32", drop_layers, tmp_path / "adapter"
            )
    with pytest.raises(SourceError, match="no adapter"):
        models.load(Resolved("tiny", tiny_model, "sha256:0"), tmp_path, "float32", (), tmp_path / "nowhere")


def test_layers_that_do_not_exist_are_named(model: models.Loaded) -> None:
    with pytest.raises(TrainError, match="no_such_proj") as caught:
        attach(model, target=("no_such_proj",))
    assert caught.value.where == "student.lora.target_modules"


def test_merging_keeps_the_function(tiny_model: Path, tmp_path: Path) -> None:
    loaded = models.load(Resolved("tiny", tiny_model, "sha256:0"), tmp_path, "float32")
    worn = trained(attach(loaded), 0.01).eval()
    ids = torch.arange(8)[None]
    with torch.inference_mode():
        before = worn(ids).logits
        merged = adapters.merge(worn)
        assert torch.allclose(merged(ids).logits, before, atol=1e-5)
    assert not any("lora" in name for name, _ in merged.named_parameters())
    assert adapters.merge(merged) is merged


def test_a_folder_as_peft_writes_it_is_a_teacher_worn_or_merged(tiny_model: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    source = Resolved("tiny", tiny_model, "sha256:0")
    torch.manual_seed(1)
    trained = get_peft_model(
        models.load(source, tmp_path, "float32").model,
        LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM"),
    ).eval()
    for name, weight in trained.named_parameters():
        if "lora_B" in name:
            weight.data.normal_()
    trained.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=False)
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.inference_mode():
        expected = trained(ids).logits
        worn = models.load(source, tmp_path, "float32", adapter=tmp_path / "adapter").model
        torch.testing.assert_close(worn(ids).logits, expected)
        torch.testing.assert_close(adapters.merge(worn)(ids).logits, expected, atol=1e-4, rtol=1e-4)

    spec, context = Transformers(dtype="float32"), Context(tmp_path, {})
    asked = [Request((Message(role="user", content="word"),), Sampling(temperature=1, max_new_tokens=8), seed=3)]
    plain, taught = (open_engine(spec, source, context, adapter=each) for each in (None, tmp_path / "adapter"))
    assert [done.text for done in plain.generate(asked)] != [done.text for done in taught.generate(asked)]
    (tmp_path / "adapter").rename(tmp_path / "moved")
    assert open_engine(spec, source, context, adapter=tmp_path / "moved").name == taught.name != plain.name


def test_every_name_must_be_a_layer_and_near_ones_are_named(model: models.Loaded) -> None:
    with pytest.raises(TrainError, match=r"no layer 'q_porj'(.|\n)*name some of q_proj"):
        attach(model, target=("v_proj", "q_porj"))
    for name in ("lm_head", "embed_tokens"):
        with pytest.raises(TrainError, match=f"{name}' is the layer of the vocabulary"):
            attach(model, target=("v_proj", name))


@pytest.mark.parametrize("tied", [True, False])
def test_the_vocabulary_is_left_alone_tied_or_not(tied: bool) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    config = LlamaConfig(**sizes, num_attention_heads=2, tie_word_embeddings=tied)
    worn = adapters.attach(LlamaForCausalLM(config), 2, 4, 0.0, "all-linear", 1)
    trained = {name.split(".")[-4] for name, weight in worn.named_parameters() if "lora_A" in name}
    assert trained == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
