"""What each kind loads of a folder, a GGUF file and a trained student."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distill.context import Resolved
from distill.engines import adapters, models
from distill.engines.serving.weights import Weights, weights
from distill.errors import EngineError, SourceError


def student(folder: Path, base: Path, drop_layers: list[int], seed: int = 0, strength: float = 0.05) -> Resolved:
    """A student with an adapter of rank 4 that does something."""
    import torch

    resolved = Resolved("base", base, "b")
    model = models.load(resolved, folder, "float32", drop_layers).model
    worn = adapters.attach(model, 4, 16, 0.0, "all-linear", seed)
    with torch.no_grad():
        for name, weight in worn.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=strength, generator=torch.Generator().manual_seed(seed))
    folder.mkdir(exist_ok=True)
    adapters.save(worn, folder / "adapter")
    record = {"base": {"ref": "base", "path": str(base), "revision": "b"}, "drop_layers": drop_layers}
    (folder / "student.json").write_text(json.dumps({**record, "adapter": "adapter", "terms": [], "depth": 1}))
    return Resolved("run:x/train", folder, f"k{drop_layers}")


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
def test_a_folder_is_loaded_as_it_is(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    source = Resolved("t", tiny_model, "r")
    assert weights(kind, source, None, tmp_path, tmp_path / "links") == Weights(tiny_model.resolve())  # type: ignore[arg-type]


def test_transformers_serve_gets_links_and_plain_sampling(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    got = weights("transformers", Resolved("t", tiny_model, "r"), None, tmp_path, tmp_path / "links").model
    config = AutoModelForCausalLM.from_pretrained(got).generation_config
    assert (config.do_sample, config.top_k, config.temperature, config.eos_token_id) == (True, 0, 1.0, 2)
    assert {path.name for path in got.iterdir()} == {path.name for path in tiny_model.iterdir()}


def test_llama_cpp_loads_one_gguf_file(tiny_model: Path, tmp_path: Path) -> None:
    for name in ("a-00002-of-00002.gguf", "a-00001-of-00002.gguf"):
        (tmp_path / name).touch()
    assert (
        weights("llama_cpp", Resolved("t", tmp_path, "r"), None, tmp_path, tmp_path).model.name
        == "a-00001-of-00002.gguf"
    )
    (tmp_path / "Q4.gguf").touch()
    (tmp_path / "B8.gguf").touch()
    for folder, what in ((tmp_path, "4 GGUF files"), (tiny_model, "no GGUF file")):
        with pytest.raises(EngineError, match=what):
            weights("llama_cpp", Resolved("t", folder, "r"), None, tmp_path, tmp_path)


def test_vllm_gets_base_and_adapter_of_a_student_the_others_one_model(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    source = student(tmp_path / "student", tiny_model, [])
    assert weights("vllm", source, None, tmp_path, tmp_path / "links") == Weights(
        tiny_model.resolve(), (tmp_path / "student" / "adapter").resolve(), 4
    )
    one = weights("sglang", source, None, tmp_path, tmp_path / "links").model
    assert not (one / "adapter_config.json").exists() and (one / "tokenizer.json").exists()
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        want = models.load(source, tmp_path, "float32").model(ids).logits
        base = models.load(Resolved("t", tiny_model, "r"), tmp_path, "float32").model(ids).logits
        got = models.load(Resolved("m", one, "m"), tmp_path, "float32").model(ids).logits
    torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)
    assert (base - want).abs().max() > 0.01


def test_a_student_that_no_adapter_can_tell_is_merged_for_vllm_too(tiny_model: Path, tmp_path: Path) -> None:
    shorter = student(tmp_path / "first", tiny_model, [1])
    second = student(tmp_path / "second", shorter.path, [], seed=1)
    for source in (shorter, second):
        got = weights("vllm", source, None, tmp_path, tmp_path / "links")
        assert got.adapter is None and json.loads((got.model / "config.json").read_text())["num_hidden_layers"] == 3
    assert (
        weights("vllm", second, None, tmp_path, tmp_path / "links").model
        != weights("vllm", shorter, None, tmp_path, tmp_path).model
    )


def test_what_vllm_does_not_know_is_merged_and_what_was_packed_is_served_whole(
    tiny_model: Path, tmp_path: Path
) -> None:
    import torch

    source = student(tmp_path / "student", tiny_model, [])
    record = json.loads((source.path / "student.json").read_text())
    (source.path / "student.json").write_text(json.dumps({**record, "quantization": "nf4"}))
    assert weights("vllm", source, None, tmp_path, tmp_path).adapter is not None
    one = weights("sglang", source, None, tmp_path, tmp_path).model
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        want = models.load(source, tmp_path, "float32", as_trained=False).model(ids).logits
        got = models.load(Resolved("m", one, "m"), tmp_path, "float32").model(ids).logits
    torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)
    config = json.loads((source.path / "adapter" / "adapter_config.json").read_text())
    (source.path / "adapter" / "adapter_config.json").write_text(json.dumps({**config, "use_dora": True}))
    with pytest.raises(SourceError, match="another model"):  # it would be merged; this one has no DoRA weights
        weights("vllm", Resolved("run:x/train", source.path, "dora"), None, tmp_path, tmp_path)


def test_a_student_with_weights_of_its_own_is_a_model(tiny_model: Path, tmp_path: Path) -> None:
    base = {"ref": "gone", "path": str(tmp_path / "gone"), "revision": "b"}
    (tmp_path / "weights").symlink_to(tiny_model)
    (tmp_path / "student.json").write_text(json.dumps({"base": base, "drop_layers": [1], "weights": "weights"}))
    for kind in ("vllm", "sglang"):
        got = weights(kind, Resolved("run:x/train", tmp_path, "k"), None, tmp_path, tmp_path)  # type: ignore[arg-type]
        assert got == Weights(tiny_model.resolve())


@pytest.mark.parametrize("trained", [False, True], ids=["model", "student"])
def test_an_adapter_is_put_on_by_vllm_or_merged(trained: bool, tiny_model: Path, tmp_path: Path) -> None:
    import torch

    worn = student(tmp_path / "other", tiny_model, [], seed=2).path / "adapter"
    source = student(tmp_path / "student", tiny_model, []) if trained else Resolved("t", tiny_model, "r")
    vllm = weights("vllm", source, worn, tmp_path, tmp_path / "links")
    one = weights("sglang", source, worn, tmp_path, tmp_path / "links").model
    if trained:
        assert vllm == Weights(one)
    else:
        assert vllm == Weights(tiny_model.resolve(), worn.resolve(), 4)
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        want = models.load(source, tmp_path, "float32", adapter=worn).model(ids).logits
        got = models.load(Resolved("m", one, "m"), tmp_path, "float32").model(ids).logits
    torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)


def test_llama_cpp_takes_no_adapter(tiny_model: Path, tmp_path: Path) -> None:
    source = student(tmp_path / "student", tiny_model, [])
    for model, worn in ((source, None), (Resolved("t", tmp_path / "t.gguf", "r"), source.path / "adapter")):
        with pytest.raises(EngineError, match="no adapter"):
            weights("llama_cpp", model, worn, tmp_path, tmp_path)
