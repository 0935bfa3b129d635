"""What is exported loads where distill is not, and is the student."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard

from distill.cli import main
from distill.context import Resolved
from distill.engines import models
from distill.errors import DistillError, SourceError
from distill.export import export
from distill.recipe import Recipe, dump
from distill.trail.verify import verify
from distill.train.student import Student
from tests.train.small import MODEL, make_row, put, spec_of, train

IDS = torch.tensor([[5, 6, 7, 8, 9, 10, 11]])
RECIPE: dict[str, Any] = {
    "name": "run",
    "teacher": {"model": "T"},
    "student": {"model": "S"},
    "real": {"chat": {"data": "D", "prompt": "q", "answer": "a"}},
    "generate": {"rows": 1, "methods": [{"kind": "answer", "prompts": "chat"}]},
    "evaluate": {"suites": ["heldout_teacher"]},
}


def run_of(folder: Path) -> Path:
    """A run of the student in `folder/out`, trained on `folder/mix`."""
    run = folder / "runs" / "run"
    run.mkdir(parents=True)
    (run / "recipe.resolved.yaml").write_text(dump(Recipe.model_validate(RECIPE)))
    (run / "run.json").write_text(json.dumps({"base": str(folder)}))
    (folder / "out" / "manifest.json").write_text('{"key": "abc"}')
    (run / "4-train").symlink_to(folder / "out")
    (run / "3-mix").symlink_to(folder / "mix")
    return run


def make(folder: Path, model: Path, student: dict[str, Any], **settings: Any) -> Path:
    """A run whose training is done."""
    (folder / "mix").mkdir()
    (folder / "model").symlink_to(model)
    put(folder, [make_row(number) for number in range(20)])
    spec = spec_of(**{"max_steps": 2, "checkpoint_every": 1, "learning_rate": 2e-2, **settings})
    student = {"model": MODEL, "lora": {"r": 4, "alpha": 16}, **student}
    train(folder, spec.model_copy(update={"student": Student.model_validate(student)}))
    return run_of(folder)


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(IDS).logits.clone()


def student(folder: Path, path: str = "out", **how: Any) -> torch.Tensor:
    return logits(models.load(Resolved("s", folder / path, "0"), folder / "cache", "float32", **how).model)


def base_of(path: Path) -> Path:
    return Path(json.loads((path / "adapter_config.json").read_text())["base_model_name_or_path"])


def adapted(path: Path) -> torch.Tensor:
    from peft import AutoPeftModelForCausalLM

    return logits(AutoPeftModelForCausalLM.from_pretrained(str(path)))


def whole(path: Path) -> torch.Tensor:
    from transformers import AutoModelForCausalLM

    return logits(AutoModelForCausalLM.from_pretrained(str(path)))


def test_both_forms_are_the_student(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make(tmp_path, tiny_model, {"drop_layers": [1]})
    cache = ["--cache", str(tmp_path / "cache"), "--runs", str(run.parent)]
    assert main(["export", "run", str(tmp_path / "adapter"), *cache]) == 0
    assert "KL" in capsys.readouterr().out
    assert main(["export", str(run), str(tmp_path / "merged"), "--format", "merged", *cache]) == 0
    torch.testing.assert_close(adapted(tmp_path / "adapter"), student(tmp_path), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(whole(tmp_path / "merged"), student(tmp_path), atol=1e-4, rtol=1e-4)
    assert base_of(tmp_path / "adapter") == tmp_path / "adapter" / "base"
    for form in ("adapter", "merged"):
        record = json.loads((tmp_path / form / "export.json").read_text())
        assert record["student"] == "run:run/train@abc" and record["terms"] == ["apache-2.0"]
        apart = record["difference"]
        assert (apart["rows"], apart["agreement"]) == (8, 1.0) and apart["max_abs"] < 1e-4 and apart["kl"] < 1e-6
        card = (tmp_path / form / "README.md").read_text()
        assert "| base | tiny@sha256:0 |" in card and card.count("## Load it") == 1
        assert f"library_name: {'peft' if form == 'adapter' else 'transformers'}" in card
        assert 2 in json.loads((tmp_path / form / "generation_config.json").read_text())["eos_token_id"]
        tokenizer = models.load_tokenizer(Resolved("t", tiny_model, "0"), tmp_path)
        message = [{"role": "user", "content": "Hello"}]
        from transformers import AutoTokenizer

        exported = AutoTokenizer.from_pretrained(str(tmp_path / form))
        assert exported.apply_chat_template(message) == tokenizer.apply_chat_template(message)
    assert sorted(path.name for path in tmp_path.glob(".*half*")) == []


def test_what_learnt_on_four_bits_is_merged_into_whole_weights_and_the_difference_is_told(
    tiny_model: Path, tmp_path: Path
) -> None:
    run = make(tmp_path, tiny_model, {"quantization": "nf4"})
    text = export(run, tmp_path / "merged", tmp_path / "cache", form="merged")
    assert "trained on nf4 weights" in text
    torch.testing.assert_close(whole(tmp_path / "merged"), student(tmp_path, as_trained=False), atol=1e-4, rtol=1e-4)
    apart = json.loads((tmp_path / "merged" / "export.json").read_text())["difference"]
    assert apart["max_abs"] > 1e-3 and apart["kl"] > 0
    assert not torch.allclose(whole(tmp_path / "merged"), student(tmp_path), atol=1e-3)
    export(run, tmp_path / "adapter", tmp_path / "cache")
    assert base_of(tmp_path / "adapter") == tiny_model, "a model in a folder is named where it is"
    torch.testing.assert_close(adapted(tmp_path / "adapter"), student(tmp_path, as_trained=False), atol=1e-5, rtol=1e-5)


def test_a_checkpoint_and_a_student_without_an_adapter(tiny_model: Path, tmp_path: Path) -> None:
    run = make(tmp_path, tiny_model, {"lora": None}, learning_rate=1e-3)
    export(run, tmp_path / "one", tmp_path / "cache", step=1)
    torch.testing.assert_close(whole(tmp_path / "one"), student(tmp_path, "out/checkpoints/checkpoint-1"))
    with pytest.raises(DistillError, match="it has no adapter"):
        export(run, tmp_path / "two", tmp_path / "cache", form="adapter")
    with pytest.raises(SourceError, match="checkpoint-7"):
        export(run, tmp_path / "two", tmp_path / "cache", step=7)
    with pytest.raises(SourceError, match="no node 'train/sft'"):
        export(run, tmp_path / "two", tmp_path / "cache", node="train/sft")
    with pytest.raises(DistillError, match="there already"):
        export(run, tmp_path / "one", tmp_path / "cache")
    with pytest.raises(SourceError, match="not a run folder"):
        export(tmp_path, tmp_path / "two", tmp_path / "cache")
    assert not (tmp_path / "two").exists() and not list(tmp_path.glob(".two*"))


def test_a_base_of_the_hub_is_named_with_its_commit_and_its_licence_comes_along(
    tiny_model: Path, tmp_path: Path
) -> None:
    run = make(tmp_path, tiny_model, {})
    commit, path = "0123456789abcdef" * 2 + "01234567", tmp_path / "out" / "student.json"
    record = json.loads(path.read_text())
    licensed = tmp_path / "licensed"
    licensed.mkdir()
    for file in tiny_model.iterdir():
        (licensed / file.name).symlink_to(file)
    (licensed / "LICENSE").write_text("Do as you like.")
    record["base"] |= {"ref": "org/model", "revision": commit, "path": str(licensed)}
    path.write_text(json.dumps(record))
    export(run, tmp_path / "adapter", tmp_path / "cache")
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("org/model", commit)
    assert (tmp_path / "adapter" / "LICENSE").read_text() == "Do as you like."
    assert not (tmp_path / "adapter" / "base").exists()


def test_the_card_says_what_the_recipe_is_for_and_the_files_can_be_verified(tiny_model: Path, tmp_path: Path) -> None:
    run = make(tmp_path, tiny_model, {"terms": ["llama3.1"]})
    recipe = {**RECIPE, "use": "commercial", "terms": {"name": "Llama-x", "accept": {"apache-2.0": "read"}}}
    (run / "recipe.resolved.yaml").write_text(dump(Recipe.model_validate(recipe)))
    out = tmp_path / "adapter"
    export(run, out, tmp_path / "cache")
    card = ModelCard.load(out / "README.md", ignore_metadata_errors=False)
    assert card.data.license == "other" and card.data.license_link == "LICENSE.md"
    assert card.data.license_name == "apache-2.0-and-llama3.1"
    assert "**Built with Llama**" in card.text and "commercial (what it was made for)" in card.text
    assert "does not: set terms.name" not in card.text
    assert "Llama 3.1 Community License" in (out / "LICENSE.md").read_text()
    assert json.loads((run / "exports.jsonl").read_text())["out"] == str(out)
    assert verify(out).faults == ()
    (out / "adapter_config.json").write_text("{}")
    assert [(one.file, one.what) for one in verify(out).faults] == [("adapter_config.json", "changed")]
