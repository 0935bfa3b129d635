"""What learns: adapters of every kind, adapters that were there before, all weights, and 4 bits below."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.context import Context, Resolved
from distill.engines import adapters, full, models
from distill.errors import EngineError, SourceError, TrainError
from distill.evaluate import arms
from distill.protocols import Summary
from distill.train import checkpoints, result, settings, stage
from distill.train.learner import open_learner
from distill.train.student import Student
from distill.train.watch import read_log
from tests.train.small import MODEL, context_of, inputs_of, make_pair, make_row, put, spec_of

FEW: dict[str, Any] = {"batch_size": 4, "learning_rate": 1e-3}
"""The layer of the vocabulary is most of the tiny model: all weights are trained in few rows a step."""
IDS = torch.tensor([[5, 6, 7, 8, 9, 10, 11]])


def spec(student: dict[str, Any], **train: Any) -> settings.Spec:
    plain = spec_of(**train)
    return plain.model_copy(update={"student": Student.model_validate({"model": MODEL, **student})})


def context(folder: Path, recompute: bool | None = None, **more: Path) -> Context:
    """Folders by name as references, beside the model."""
    known = context_of(folder, gradient_checkpointing=recompute)
    found = {name: Resolved(name, path, f"sha256:{name}", ("mit",)) for name, path in more.items()}
    return Context(known.cache, {**known.resolved, **found}, known.runtime)


def train(
    folder: Path, wanted: settings.Spec, out: str = "out", recompute: bool | None = None, **more: Path
) -> Summary:
    (folder / out).mkdir(exist_ok=True)
    return stage.run(wanted, inputs_of(folder), folder / out, context(folder, recompute, **more))


def load(folder: Path, path: Path, dtype: str = "float32") -> models.Loaded:
    return models.load(Resolved("student", path, "0"), folder / "cache", dtype)


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(IDS).logits.clone()


@pytest.mark.parametrize("how", [{"rslora": True}, {"dora": True}, {"rslora": True, "dora": True}])
def test_kinds_of_lora_learn_are_saved_and_loaded_and_merged(folder: Path, how: dict[str, bool]) -> None:
    train(folder, spec({"lora": {"r": 4, "alpha": 8, **how}}, max_steps=3))
    loaded = load(folder, folder / "out").model
    config = loaded.peft_config["default"]  # type: ignore[operator]
    assert (config.use_rslora, config.use_dora) == (how.get("rslora", False), how.get("dora", False))
    worn = logits(loaded)
    assert not torch.allclose(worn, logits(load(folder, folder / "model").model), atol=1e-3)
    torch.testing.assert_close(logits(adapters.merge(loaded)), worn, atol=1e-4, rtol=1e-4)  # type: ignore[arg-type]
    assert f"| lora {next(iter(how))} | True |" in (folder / "out" / "README.md").read_text()


def test_all_weights_are_trained_in_float32_and_are_a_model_that_needs_no_base(folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    put(folder, [make_row(number) for number in range(8)])
    wanted = spec({"lora": None, "drop_layers": [1]}, **FEW, epochs=5, checkpoint_every=4, dtype="bfloat16")
    summary = train(folder, wanted)
    lines = [line["loss"] for line in read_log(folder / "out" / "log.jsonl")]
    assert lines[-1] < lines[0] - 0.1
    out = folder / "out"
    student = json.loads((out / "student.json").read_text())
    assert student["weights"] == "weights" and "adapter" not in student
    plain = AutoModelForCausalLM.from_pretrained(str(out / "weights"))
    assert {str(weight.dtype) for weight in plain.parameters()} == {"torch.float32"}
    assert summary["counts"]["trainable_parameters"] == sum(weight.numel() for weight in plain.parameters())
    AutoTokenizer.from_pretrained(str(out / "weights"))
    (folder / "model").unlink()
    kept = checkpoints.whole(out / "checkpoints")
    assert [path.name for path in kept] == ["checkpoint-4", "checkpoint-8", "checkpoint-10"]
    found = [logits(load(folder, path).model) for path in (out, kept[-1], kept[0])]
    assert torch.equal(found[0], logits(plain.eval())) and torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    weights = out / "weights" / "model.safetensors"
    assert weights.samefile(kept[-1] / "model.safetensors"), "twice the disk"
    readable = out.stat().st_mode & 0o444
    assert weights.stat().st_mode & readable == readable, (
        "as private as safetensors writes: nobody could share the cache"
    )
    assert not list(out.rglob("*.pt")) and not list(out.rglob("trainer_state.json"))
    four, last = arms.student(out, 4), arms.student(out, None)
    assert (four.adapter, four.drop_layers) == (None, ()) and four.source.revision != last.source.revision
    assert "AutoModelForCausalLM" in (out / "README.md").read_text()


def test_all_weights_killed_and_taken_up_again_are_the_same_bits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = spec({"lora": None}, **FEW, max_steps=3, checkpoint_every=1)
    train(folder, wanted, "straight")
    seal = checkpoints.seal

    def killed(path: Path, record: dict[str, Any]) -> None:
        seal(path, record)
        if record["step"] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "seal", killed)
    with pytest.raises(KeyboardInterrupt):
        train(folder, wanted, "killed")
    monkeypatch.setattr(checkpoints, "seal", seal)
    train(folder, wanted, "killed")
    straight, again = (folder / name / "weights" / "model.safetensors" for name in ("straight", "killed"))
    assert straight.read_bytes() == again.read_bytes()


def test_broken_or_idle_weights_are_not_written(folder: Path) -> None:
    learner = open_learner(spec({"lora": None}), context(folder).resolved[MODEL], None, context(folder))
    with pytest.raises(TrainError, match="changed no weight"):
        learner.save(folder / "weights", learner.gather())
    next(learner.model.parameters()).data[0, 0] = float("nan")
    with pytest.raises(TrainError, match=r"embed_tokens\.weight first"):
        learner.save(folder / "weights", learner.gather())
    assert not (folder / "weights").exists()
    with pytest.raises(SourceError, match="no weights"):
        full.fingerprint(folder)


def test_a_student_with_weights_of_its_own_goes_on(folder: Path) -> None:
    """To another training of the recipe, to another recipe, and as a teacher's adapter it is refused."""
    train(folder, spec({"lora": None, "drop_layers": [1]}, **FEW, max_steps=2))
    wanted = spec({"lora": None, "drop_layers": [1]}, **FEW, max_steps=1).model_copy(update={"after": "train/sft"})
    inputs = {**inputs_of(folder), "train/sft": folder / "out"}
    (folder / "second").mkdir()
    stage.run(wanted, inputs, folder / "second", context(folder))
    first, second = (logits(load(folder, folder / name).model) for name in ("out", "second"))
    assert not torch.equal(first, second)
    train(folder, spec({"model": "before"}, **FEW, max_steps=1), "third", before=folder / "out")
    assert len(load(folder, folder / "third").model.get_decoder().layers) == 3
    with pytest.raises(SourceError, match="name it as a model"):
        models.adapter_folder(Resolved("run:a/train", folder / "out", "0"))


@pytest.mark.parametrize("student", [{"lora": None}, {"quantization": "nf4", "lora": {"r": 4}}])
def test_pairs_are_learnt_against_what_training_began_with(folder: Path, student: dict[str, Any]) -> None:
    put(folder, [*map(make_row, range(4)), *map(make_pair, range(8))])
    train(folder, spec(student, **FEW, max_steps=2), "before")
    wanted = spec(student, **FEW, objective="preference", max_steps=2).model_copy(update={"after": "before"})
    (folder / "out").mkdir()
    stage.run(wanted, {**inputs_of(folder), "before": folder / "before"}, folder / "out", context(folder))
    first, second = read_log(folder / "out" / "log.jsonl")
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert second["margin"] > 0


def test_a_gradient_passes_through_four_bits_after_an_answer_in_evaluation_mode(folder: Path) -> None:
    learner = open_learner(spec({"quantization": "nf4"}), context(folder).resolved[MODEL], None, context(folder))
    with torch.no_grad():
        learner.model.eval()(IDS)
    given = learner.model.get_input_embeddings()(IDS).detach().requires_grad_(True)
    learner.model.train()(inputs_embeds=given).logits.sum().backward()
    layer = learner.model.get_base_model().get_decoder().layers[0].self_attn.q_proj.base_layer
    assert given.grad is not None and given.grad.abs().max() > 0
    hidden = torch.randn(1, 3, 64, requires_grad=True)
    assert layer(hidden).requires_grad


def test_what_is_trained_is_not_rounded(folder: Path) -> None:
    learner = open_learner(spec({"quantization": "nf4"}), context(folder).resolved[MODEL], None, context(folder))
    before = adapters.gather(learner.model)
    with adapters.unrounded(learner.model):
        for weight in learner.model.parameters():
            if weight.requires_grad:
                weight.data = weight.data.bfloat16()
    after = adapters.gather(learner.model)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert {weight.dtype for weight in learner.model.parameters() if weight.requires_grad} == {torch.float32}


def test_four_bits_below_learn_in_float32_and_are_evaluated_as_they_were_trained(folder: Path) -> None:
    from safetensors.torch import load_file

    wanted = spec({"quantization": "nf4", "lora": {"r": 4, "alpha": 8}}, epochs=2, dtype="bfloat16", checkpoint_every=2)
    train(folder, wanted)
    out = folder / "out"
    lines = [line["loss"] for line in read_log(out / "log.jsonl")]
    assert lines[-1] < lines[0] - 0.1
    weights = load_file(out / "adapter" / "adapter_model.safetensors")
    assert {str(weight.dtype) for weight in weights.values()} == {"torch.float32"}
    # TRL trains such adapters in bfloat16: every number would be one that bfloat16 has.
    assert not all(torch.equal(weight, weight.bfloat16().float()) for weight in weights.values())
    assert json.loads((out / "student.json").read_text())["quantization"] == "nf4"
    arm = arms.student(out, 2)
    assert arm.quantization == "nf4" and arm.adapter == out / "checkpoints" / "checkpoint-2"
    packed, whole = load(folder, out).model, load_whole(folder, out)
    assert packed.get_decoder().layers[0].mlp.up_proj.base_layer.weight.dtype == torch.uint8  # type: ignore[union-attr]
    assert not torch.allclose(logits(packed), logits(whole), atol=1e-3)
    with pytest.raises(TrainError, match="distill export --format merged"):
        adapters.merge(packed)
    with pytest.raises(EngineError, match="cannot be merged into nf4"):
        models.load(Resolved("student", out, "0"), folder / "cache", "float32", (1,))
    assert "on nf4 weights" in (out / "README.md").read_text()


def load_whole(folder: Path, path: Path) -> Any:
    return models.load(Resolved("student", path, "0"), folder / "cache", "float32", as_trained=False).model


@pytest.mark.parametrize("bits", ["nf4", "int8"])
def test_quantised_killed_and_taken_up_again_is_the_same_student(
    folder: Path, bits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = spec({"quantization": bits, "lora": {"r": 4}}, max_steps=2, checkpoint_every=1)
    train(folder, wanted, "straight")
    seal = checkpoints.seal

    def killed(*arguments: Any) -> None:
        seal(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "seal", killed)
    with pytest.raises(KeyboardInterrupt):
        train(folder, wanted, "killed")
    monkeypatch.setattr(checkpoints, "seal", seal)
    train(folder, wanted, "killed")
    name = Path("adapter") / "adapter_model.safetensors"
    assert (folder / "straight" / name).read_bytes() == (folder / "killed" / name).read_bytes()


def test_training_goes_on_with_an_adapter_and_inherits_what_it_is(folder: Path) -> None:
    put(folder, [make_row(number) for number in range(20)])
    train(folder, spec({"drop_layers": [1], "lora": {"r": 4}}, max_steps=2), "before")
    roots = models.trained_on(folder / "before")
    record = json.loads((folder / "before" / "student.json").read_text())
    (folder / "before" / "student.json").write_text(json.dumps({**record, "depth": 3, "terms": ["cc-by-4.0"]}))
    put(folder, [make_row(number) for number in range(20, 40)])
    wanted = spec({"drop_layers": [1], "adapter": "before"}, max_steps=1)
    train(folder, wanted, before=folder / "before")
    first, second = (read_log(folder / name / "log.jsonl") for name in ("before", "out"))
    assert second[0]["loss"] < first[0]["loss"] - 0.05, "it begins where the other ended"
    student = json.loads((folder / "out" / "student.json").read_text())
    assert student["depth"] == 3
    assert set(student["terms"]) == {"apache-2.0", "mit", "cc-by-4.0"}
    assert student["started_on"] == {"ref": "before", "revision": "sha256:before", "terms": ["mit"]}
    assert models.trained_on(folder / "out") > roots
    assert json.loads((folder / "out" / "adapter" / "adapter_config.json").read_text())["r"] == 4
    assert "| adapter | before@sha256:before |" in (folder / "out" / "README.md").read_text()


def test_an_adapter_of_others_is_trained_further_or_merged_into_weights_that_are(folder: Path) -> None:
    from peft import LoraConfig, get_peft_model

    model = models.load(context(folder).resolved[MODEL], folder / "cache", "float32").model
    worn: Any = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    for name, weight in worn.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(std=0.5)
    worn.save_pretrained(str(folder / "theirs"), save_embedding_layers=False)
    before = logits(worn.eval())
    for lora, out in (({}, "adapter"), ({"lora": None}, "all")):
        wanted = spec({"adapter": "theirs", **lora})
        found = context(folder, theirs=folder / "theirs")
        learner = open_learner(wanted, found.resolved[MODEL], None, found)
        torch.testing.assert_close(logits(learner.model.eval()), before, atol=1e-4, rtol=1e-4)
        train(folder, spec({"adapter": "theirs", **lora}, **FEW, max_steps=1), out, theirs=folder / "theirs")
    assert arms.named(MODEL, (), found.resolved, "theirs").adapter == folder / "theirs"


def test_an_adapter_of_another_student_is_refused(folder: Path) -> None:
    train(folder, spec({"drop_layers": [1], "lora": {"r": 4}}, max_steps=1), "before")
    with pytest.raises(TrainError, match=r"without layers 1(.|\n)*drop_layers: \[1\]"):
        train(folder, spec({"adapter": "before"}), before=folder / "before")
    shutil.rmtree(folder / "out")
    (folder / "before" / "student.json").unlink()
    with pytest.raises(SourceError, match="made for another model"):
        train(folder, spec({"adapter": "theirs"}), theirs=folder / "before" / "adapter")


def test_a_second_training_goes_on_over_a_base_that_wears_an_adapter_itself(folder: Path) -> None:
    """The base's own adapter is merged first: it was lost before."""
    train(folder, spec({"lora": {"r": 4}}, max_steps=3), "base")
    known = context(folder, base=folder / "base")
    wanted = spec({"model": "base", "lora": {"r": 2}}, max_steps=2)
    train(folder, wanted, "first", base=folder / "base")
    learner = open_learner(wanted, known.resolved["base"], folder / "first", known)
    torch.testing.assert_close(
        logits(learner.model.eval()), logits(load(folder, folder / "first").model), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize(
    ("student", "match"),
    [
        ({"lora": None, "quantization": "nf4"}, "cannot be trained themselves"),
        ({"adapter": "a", "lora": {"r": 4}}, "leave out lora"),
        ({"adapter": "a", "drop_layers": {"least_missed": 1}}, "made for certain layers"),
    ],
)
def test_what_cannot_go_together_is_said(student: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Student.model_validate({"model": "m", **student})


def test_a_student_without_any_weights_is_none(folder: Path) -> None:
    (folder / "out").mkdir()
    record = {"base": {"ref": "a", "path": os.devnull, "revision": "0"}, "drop_layers": []}
    (folder / "out" / result.FILE).write_text(json.dumps(record))
    with pytest.raises(SourceError, match="neither an adapter nor weights"):
        models.student_file(folder / "out")
