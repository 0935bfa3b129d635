"""Where weights lie and in how many bits: what cannot be is said before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from distill.context import Context, Resolved, Runtime
from distill.engines import adapters, models, placement
from distill.engines.placement import Placement
from distill.engines.transformers import Transformers, TransformersEngine
from distill.errors import EngineError
from distill.protocols import Request, Sampling
from distill.rows import Message

PLAIN = Runtime()
REQUESTS = [
    Request((Message(role="user", content="word " * count),), Sampling(temperature=0, max_new_tokens=6))
    for count in (1, 9, 4)
]


def source(folder: Path) -> Resolved:
    return Resolved("tiny", folder, "sha256:0")


def answers(folder: Path, cache: Path, runtime: Runtime = PLAIN, **spec: str) -> dict[str, str]:
    engine = TransformersEngine(source(folder), Context(cache, {}, runtime), Transformers(dtype="float32", **spec))
    return {done.request: done.text for done in engine.generate(REQUESTS)}


@pytest.mark.parametrize(("kind", "bits"), [("nf4", 4), ("int8", 8)])
def test_packed_weights_answer_nearly_as_the_whole_ones(tiny_model: Path, tmp_path: Path, kind: str, bits: int) -> None:
    whole = models.load(source(tiny_model), tmp_path, "float32").model
    packed = models.load(source(tiny_model), tmp_path, "float32", placement=Placement(kind)).model
    linear = packed.model.layers[0].mlp.up_proj
    assert linear.weight.element_size() * linear.weight.numel() * 8 == bits * 64 * 128
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.inference_mode():
        expected, found = whole(ids).logits, packed(ids).logits
    error = float((found - expected).norm() / expected.norm())
    assert 1e-4 < error < (0.3 if kind == "nf4" else 0.05)
    assert len(answers(tiny_model, tmp_path, quantization=kind)) == 3


def test_an_adapter_is_worn_over_packed_weights_but_not_merged_into_them(tiny_model: Path, tmp_path: Path) -> None:
    worn = adapters.attach(models.load(source(tiny_model), tmp_path, "float32").model, 4, 8, 0.0, "all-linear", 1)
    for name, weight in worn.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(std=0.5)
    adapters.save(worn, tmp_path / "adapter")
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.inference_mode():
        expected = worn.eval()(ids).logits
        packed = models.load(source(tiny_model), tmp_path, "float32", (), tmp_path / "adapter", Placement("nf4")).model
        error = float((packed(ids).logits - expected).norm() / expected.norm())
    assert error < 0.3
    (tmp_path / "student.json").write_text(
        f'{{"base": {{"ref": "tiny", "path": "{tiny_model}", "revision": "sha256:0"}}, "drop_layers": [], "adapter": "adapter"}}'
    )
    student = Resolved("student", tmp_path, "sha256:1")
    models.load(student, tmp_path, "float32", placement=Placement("nf4"))
    with pytest.raises(EngineError, match="cannot be merged into nf4"):
        models.load(student, tmp_path, "float32", (1,), placement=Placement("nf4"))


def test_a_device_map_changes_no_answer(tiny_model: Path, tmp_path: Path) -> None:
    plain = answers(tiny_model, tmp_path)
    for device_map in ("auto", "sequential"):
        assert answers(tiny_model, tmp_path, Runtime(device_map=device_map)) == plain


def test_what_cannot_be_is_said_before_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Resolved("none", tmp_path / "none", "sha256:0")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(EngineError, match="2 processes on one machine"):
        models.load(nowhere, tmp_path, "float32", placement=Placement(device_map="auto"))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    Placement(device_map="auto").check()
    monkeypatch.setattr(placement.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EngineError, match="needs bitsandbytes"):
        models.load(nowhere, tmp_path, "float32", placement=Placement("int8"))


def test_parts_beside_the_accelerators_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = torch.nn.Linear(1, 1)
    model.hf_device_map = {"a": 0, "b": "cpu", "c": "disk"}  # type: ignore[assignment]
    Placement(device_map="auto").settle(model)  # type: ignore[arg-type]  # without an accelerator it may lie there
    monkeypatch.setattr(placement, "device", lambda: "cuda:0")
    with pytest.raises(EngineError, match="parts would lie on cpu and disk"):
        Placement(device_map="auto").settle(model)  # type: ignore[arg-type]


def test_what_is_to_be_sharded_stays_on_the_processor_in_a_dtype_that_can_be_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(placement, "device", lambda: "cuda:0")
    model = torch.nn.Linear(2, 2)
    Placement(sharded=True).settle(model)  # type: ignore[arg-type]
    assert model.weight.device.type == "cpu"
    packed = Placement("nf4", sharded=True).arguments("bfloat16")["quantization_config"]
    assert packed.bnb_4bit_quant_storage == torch.bfloat16
    assert Placement("nf4").arguments("bfloat16")["quantization_config"].bnb_4bit_quant_storage == torch.uint8
