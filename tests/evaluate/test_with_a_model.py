"""The stage over a small real model: its numbers against transformers', its student, its ranks."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from distill.context import Context, Ranks, Resolved
from distill.engines import adapters, models
from distill.engines.layers import LeastMissed
from distill.engines.template import encode
from distill.errors import DistillError
from distill.evaluate import stage, teacher
from distill.evaluate.settings import Generation, Spec
from distill.rows import write_rows
from distill.suites.choices import Choices
from distill.suites.heldout import HeldOutReal, HeldOutTeacher
from distill.suites.text import Text
from tests.evaluate.fakes import row

SPEC = Spec(
    arm="teacher",
    model="tiny",
    suites=(HeldOutTeacher(), HeldOutReal()),
    generation=Generation(items=3, max_new_tokens=6),
    dtype="float32",
)
BASE = SPEC.model_copy(update={"arm": "base", "drop_layers": (1, 2)})
STUDENT = SPEC.model_copy(update={"arm": "student", "model": None})
QUESTIONS = ["What is ice?", "Who wrote Faust?", "Name a river.", "How far is the moon?", "Say hello to a friend."]


@pytest.fixture
def resolved(tiny_model: Path) -> Resolved:
    return Resolved("tiny", tiny_model, "tiny-1")


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "split" / "heldout").mkdir(parents=True)
    (tmp_path / "heldout").mkdir()
    real = [row(question, "A short answer, given by hand.") for question in QUESTIONS]
    answered = [row(question, f"You ask: {question} I do not know.", "teacher") for question in QUESTIONS]
    write_rows(tmp_path / "split" / "heldout" / "chat.jsonl", real)
    write_rows(tmp_path / "heldout" / "rows.jsonl", answered)
    return {"split": tmp_path / "split", "heldout": tmp_path / "heldout"}


def evaluate(
    spec: Spec, inputs: dict[str, Path], resolved: Resolved, ranks: Ranks | None = None, name: str = ""
) -> tuple[dict[str, Any], Path]:
    root = inputs["split"].parent
    out = root / f"{name}{spec.arm}"
    if not ranks or ranks.main:
        out.mkdir(exist_ok=True)
    return stage.run(spec, inputs, out, Context(root / "cache", {"tiny": resolved}, ranks=ranks or Ranks())), out


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_loss_is_that_of_transformers(inputs: dict[str, Path], resolved: Resolved, tmp_path: Path) -> None:
    import torch

    _, out = evaluate(SPEC, inputs, resolved)
    loaded = models.load(resolved, tmp_path / "cache", "float32")
    for line in lines(out):
        encoded = encode(loaded.tokenizer, row(line["question"], line["reference"]).messages)
        with torch.no_grad():
            expected = loaded.model(torch.tensor([encoded.ids]), labels=torch.tensor([encoded.labels])).loss.item()
        assert line["metrics"]["loss"]["value"] == pytest.approx(expected, rel=1e-4)
        assert line["metrics"]["loss"]["weight"] == sum(label >= 0 for label in encoded.labels)


def test_the_base_is_measured_against_the_teacher(inputs: dict[str, Path], resolved: Resolved, tmp_path: Path) -> None:
    import torch

    first, out = evaluate(SPEC, inputs, resolved)
    inputs[stage.TEACHER] = out
    summary, out = evaluate(BASE, inputs, resolved)
    assert (summary["template"], summary["tokenizer"]) == (first["template"], first["tokenizer"])
    assert summary["counts"] == {"requested": 10, "scored": 10, "failed": 0}
    whole = models.load(resolved, tmp_path / "cache", "float32")
    part = models.load(resolved, tmp_path / "cache", "float32", (1, 2))
    for line in lines(out):
        encoded = encode(whole.tokenizer, row(line["question"], line["reference"]).messages)
        at = [place - 1 for place, label in enumerate(encoded.labels) if label >= 0]
        with torch.no_grad():
            p, q = (
                torch.log_softmax(model(torch.tensor([encoded.ids])).logits[0, at].double(), -1)
                for model in (whole.model, part.model)
            )
        kl = (p.exp() * (p - q)).sum(-1).mean().item()
        assert 0 < line["metrics"]["kl"]["value"] <= kl + 1e-6
        agreement = (p.argmax(-1) == q.argmax(-1)).double().mean().item()
        assert line["metrics"]["agreement"]["value"] == pytest.approx(agreement)


@pytest.fixture
def trained(tmp_path: Path, resolved: Resolved) -> Path:
    """A student whose last adapter changes next to nothing, and whose checkpoint does."""
    import torch

    folder = tmp_path / "train"
    folder.mkdir()
    model: Any = models.load(resolved, tmp_path / "cache", "float32", (1, 2)).model
    model = adapters.attach(model, 4, 8, 0.0, "all-linear", seed=1)
    (folder / "checkpoints").mkdir()
    for name, size in (("adapter", 1e-9), ("checkpoints/checkpoint-5", 0.5)):
        with torch.no_grad():
            for part, weight in model.named_parameters():
                if "lora_B" in part:
                    weight.normal_(0, size)
        adapters.save(model, folder / name)
    base = {"ref": "tiny", "path": str(resolved.path), "revision": resolved.revision}
    (folder / "student.json").write_text(json.dumps({"base": base, "drop_layers": [1, 2], "adapter": "adapter"}))
    return folder


def test_the_student_is_the_base_until_its_adapter_learns(
    inputs: dict[str, Path], resolved: Resolved, trained: Path
) -> None:
    inputs[stage.TEACHER] = evaluate(SPEC, inputs, resolved)[1]
    inputs["train"] = trained
    base, student = (lines(evaluate(spec, inputs, resolved)[1]) for spec in (BASE, STUDENT))
    checkpoint = STUDENT.model_copy(update={"arm": "student@5", "step": 5})
    moved = lines(evaluate(checkpoint, inputs, resolved)[1])
    for a, b, c in zip(base, student, moved, strict=True):
        assert b["metrics"]["loss"]["value"] == pytest.approx(a["metrics"]["loss"]["value"], rel=1e-5)
        assert c["metrics"]["loss"]["value"] != pytest.approx(a["metrics"]["loss"]["value"], rel=1e-4)
        assert a["answer"] == b["answer"]
    assert [line["answer"] for line in moved] != [line["answer"] for line in base]


def test_a_student_and_its_base_are_measured_in_the_bits_that_it_was_trained_on(
    inputs: dict[str, Path], resolved: Resolved, trained: Path
) -> None:
    record = json.loads((trained / "student.json").read_text())
    (trained / "student.json").write_text(json.dumps({**record, "quantization": "nf4"}))
    inputs |= {stage.TEACHER: evaluate(SPEC, inputs, resolved)[1], "train": trained}
    packed = BASE.model_copy(update={"quantization": "nf4"})
    whole, base, student = (
        lines(evaluate(spec, inputs, resolved, name=name)[1])
        for name, spec in (("whole-", BASE), ("", packed), ("", STUDENT))
    )
    a, b, c = ([line["metrics"]["loss"]["value"] for line in found] for found in (whole, base, student))
    assert c == pytest.approx(b, rel=1e-6)
    assert max(abs(one - other) for one, other in zip(a, b, strict=True)) > 3e-4, "bits of a random model cost little"


def test_the_base_goes_by_the_layers_that_were_found_and_wears_the_adapter_that_training_goes_on_with(
    inputs: dict[str, Path], resolved: Resolved, trained: Path
) -> None:
    inputs |= {stage.TEACHER: evaluate(SPEC, inputs, resolved)[1], "train": trained, "layers": trained}
    (trained / "layers.json").write_text('{"taken_out": [1, 2]}')
    found = BASE.model_copy(update={"drop_layers": LeastMissed(least_missed=2)})
    assert lines(evaluate(found, inputs, resolved)[1]) == lines(evaluate(BASE, inputs, resolved)[1])
    checkpoint = STUDENT.model_copy(update={"arm": "student@5", "step": 5})
    moved = lines(evaluate(checkpoint, inputs, resolved)[1])
    context = Context(
        trained.parent / "cache",
        {"tiny": resolved, "before": Resolved("before", trained / "checkpoints" / "checkpoint-5", "1")},
    )
    worn = BASE.model_copy(update={"adapter": "before"})
    stage.run(worn, inputs, trained.parent / "base", context)
    assert lines(trained.parent / "base") == moved
    (trained / "checkpoints" / "checkpoint-5" / models.TRAINED_ON).write_text(lines(trained.parent / "base")[0]["root"])
    with pytest.raises(DistillError, match="held-out prompts are among those it was trained on"):
        stage.run(worn, inputs, trained.parent / "base", context)


def test_a_second_run_is_the_same_and_asks_nothing_twice(inputs: dict[str, Path], resolved: Resolved) -> None:
    first, out = evaluate(SPEC, inputs, resolved)
    before = lines(out)
    second, out = evaluate(SPEC, inputs, resolved)
    assert (second, lines(out)) == (first, before)
    stored = list((inputs["split"].parent / "cache" / "answers").glob("*/*.jsonl"))
    assert sum(len(path.read_text().splitlines()) for path in stored) == 3


def test_an_item_that_is_too_long_fails_alone(inputs: dict[str, Path], resolved: Resolved) -> None:
    long = row("What is long?", "word " * 3000)
    path = inputs["split"] / "heldout" / "chat.jsonl"
    write_rows(path, [row(QUESTIONS[0], "Short."), long])
    summary, out = evaluate(SPEC.model_copy(update={"suites": (HeldOutReal(),)}), inputs, resolved)
    assert summary["counts"] == {"requested": 2, "scored": 1, "failed": 1}
    failed = next(line for line in lines(out) if line["error"])
    assert failed["item"] == long.id
    assert "2048" in failed["error"]
    assert "loss" not in failed["metrics"]


ASKED = (
    Text.model_validate({"source": {"data": "unread", "prompt": "q"}, "max_new_tokens": 6}),
    Choices.model_validate({"source": {"data": "unread", "prompt": "q"}, "options": "o", "right": "r"}),
)
"""Suites whose items are there: answered and chosen."""


def _items(folder: Path) -> Path:
    folder.mkdir()
    items = [row(question, "no") for question in QUESTIONS]
    write_rows(folder / "text.jsonl", items)
    evidence = {"options": '["yes, it is", "no", "perhaps"]', "right": "1"}
    write_rows(folder / "choices.jsonl", [item.model_copy(update={"evidence": evidence}) for item in items])
    return folder


def _rank(rank: int, inputs: dict[str, Path], resolved: Resolved, port: int) -> None:
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    ranks = Ranks(rank, 2)
    inputs[stage.TEACHER] = evaluate(SPEC, inputs, resolved, ranks, "two-")[1]
    evaluate(BASE.model_copy(update={"suites": (*BASE.suites, *ASKED)}), inputs, resolved, ranks, "two-")
    dist.destroy_process_group()


@pytest.mark.distributed
def test_two_processes_find_what_one_does(inputs: dict[str, Path], resolved: Resolved) -> None:
    import socket

    inputs["suites"] = _items(inputs["split"].parent / "suites")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_rank, args=(rank, dict(inputs), resolved, port)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    one = evaluate(SPEC, inputs, resolved)[1]
    inputs[stage.TEACHER] = one
    other = evaluate(BASE.model_copy(update={"suites": (*BASE.suites, *ASKED)}), inputs, resolved)[1]
    assert all("accuracy" in line["metrics"] for line in lines(other) if line["suite"] == "choices")
    root = inputs["split"].parent
    assert lines(root / "two-teacher") == lines(one)
    assert lines(root / "two-base") == lines(other)
    assert (root / "two-teacher" / teacher.FILE).read_bytes() == (one / teacher.FILE).read_bytes()
