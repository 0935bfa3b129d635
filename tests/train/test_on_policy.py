"""The student writes, the teacher scores: the loss by hand, the same noise after a kill, teachers of other sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distill.engines import models
from distill.errors import TrainError
from distill.protocols import Sampling
from distill.rows import Message
from distill.train.log import read_log
from distill.train.rollout import Rollout
from tests.train.small import context_of, interrupted_at, make_row, put, spec_of, train

WEIGHTS = "adapter/adapter_model.safetensors"


def short(**train: Any) -> Any:
    return spec_of(**{"objective": "on_policy", "max_steps": 2, "batch_size": 4, "max_new_tokens": 5, **train})


def log_of(folder: Path, out: str = "out") -> list[dict[str, Any]]:
    return read_log(folder / out / "log.jsonl")


@pytest.mark.parametrize(("beta", "temperature"), [(1.0, 1.0), (0.0, 2.0)])
def test_the_loss_is_the_mean_divergence_over_what_the_student_wrote(
    bytes_folder: Path, beta: float, temperature: float
) -> None:
    import torch

    from distill.engines.template import prompt_ids
    from distill.train import data, order

    spec = short(max_steps=1, beta=beta, temperature=temperature)
    train(bytes_folder, spec, per_device_batch=2)
    context = context_of(bytes_folder)
    source = context.resolved["tiny"]
    student, teacher = (models.load(source, context.cache, "float32", layers) for layers in ((1,), ()))
    tokens = data.read(bytes_folder / "tokens" / "train.arrow", 2048, "error")
    (step,) = order.plan(list(tokens.table["prompt"]), 4, 1, 1, 5, whole=True)
    rows = {row.id: row for row in map(make_row, range(24))}
    prompts = [(name, prompt_ids(student.tokenizer, rows[name].prompt)) for name in tokens.table.select(step)["id"]]
    stops = frozenset(models.stop_ids(student.model, student.tokenizer))
    rollout = Rollout(spec.train.sampling, 5, stops, len(student.tokenizer), 8192)
    total, count = 0.0, 0
    for (_, ids), answer in zip(prompts, rollout.write(student.model, prompts, 0), strict=True):
        with torch.no_grad():
            ours, theirs = (
                torch.log_softmax(
                    one.model(torch.tensor([ids + answer])).logits[0, len(ids) - 1 : -1] / temperature, -1
                )
                for one in (student, teacher)
            )
        upper, lower = (ours, theirs) if beta == 1 else (theirs, ours)
        total += float((upper.exp() * (upper - lower)).sum())
        count += len(answer)
    line = log_of(bytes_folder)[0]
    assert line["tokens"] == count
    assert line["loss"] == pytest.approx(total / count, rel=1e-3)
    assert line["answer_tokens"] == count / 4
    assert 0 < line["entropy"] < 5.6


def test_the_student_comes_nearer_to_its_teacher_and_the_books_count_what_it_wrote(bytes_folder: Path) -> None:
    summary = train(bytes_folder, short(max_steps=6, temperature=0.5))
    lines = log_of(bytes_folder)
    assert lines[-1]["loss"] < lines[0]["loss"] * 0.7
    assert (
        summary["counts"]["supervised_tokens"] == sum(line["tokens"] for line in lines) == summary["tokens"]["learnt"]
    )
    assert summary["tokens"]["read"] > 0
    assert any("of its answers by itself in the last 2 steps" in note for note in summary["notes"])


def test_answers_that_come_to_their_end_are_short_and_noted_as_such(
    bytes_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "stop_ids", lambda *_: set(range(300)))
    summary = train(bytes_folder, short(max_steps=1))
    (line,) = log_of(bytes_folder)
    assert (line["answer_tokens"], line["stopped"], line["tokens"]) == (1, 1, 4)
    assert summary["notes"] == []


def test_interrupted_and_resumed_is_bit_for_bit_the_undisturbed_run(bytes_folder: Path) -> None:
    spec = spec_of(objective="on_policy", max_steps=4, batch_size=4, max_new_tokens=3, checkpoint_every=2, dropout=0.1)
    train(bytes_folder, spec, out="undisturbed", per_device_batch=2)
    with interrupted_at(4):
        train(bytes_folder, spec, per_device_batch=2)
    train(bytes_folder, spec, per_device_batch=2)
    for name in (WEIGHTS, "log.jsonl", "summary.json"):
        assert (bytes_folder / "out" / name).read_bytes() == (bytes_folder / "undisturbed" / name).read_bytes(), name


def test_what_is_written_depends_on_seed_step_and_row_alone(byte_model: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(byte_model)
    prompts = [(str(number), [1, 5 + number, 9]) for number in range(4)]

    def write(some: list[Any], step: int = 0, seed: int = 5, batch_tokens: int = 8192) -> list[list[int]]:
        return Rollout(Sampling(temperature=1.0, max_new_tokens=4), seed, frozenset(), 256, batch_tokens).write(
            model, some, step
        )

    whole = write(prompts)
    assert whole == write(prompts) == write(prompts, batch_tokens=7)
    assert [*write(prompts[:1]), *write(prompts[1:])] == whole
    assert write(prompts, step=1) != whole != write(prompts, seed=6)


def test_a_padded_teacher_in_bfloat16_is_cut_and_teaches_the_same(bytes_folder: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from distill.context import Context, Resolved
    from distill.train import stage
    from tests.train.small import inputs_of

    train(bytes_folder, short(max_steps=1), out="plain")
    padded = tmp_path / "padded"
    model = AutoModelForCausalLM.from_pretrained(bytes_folder / "model")
    real = model.config.vocab_size
    with torch.no_grad():
        model.resize_token_embeddings(real + 64, mean_resizing=False)
        model.get_output_embeddings().weight[real:] = 50.0  # loud, if anybody listened
    model.save_pretrained(padded)
    AutoTokenizer.from_pretrained(bytes_folder / "model").save_pretrained(padded)
    context = context_of(bytes_folder)
    both = {**context.resolved, "padded": Resolved("padded", padded, "sha256:1", ("llama3.1",))}
    spec = short(max_steps=1).model_dump()
    for dtype, near in (("float32", 1e-6), ("bfloat16", 1e-3)):
        spec["teacher"] = {"model": "padded", "engine": {"kind": "transformers", "dtype": dtype}}
        (bytes_folder / dtype).mkdir()
        chosen = type(short()).model_validate(spec)
        stage.run(chosen, inputs_of(bytes_folder), bytes_folder / dtype, Context(context.cache, both))
        assert log_of(bytes_folder, dtype)[0]["loss"] == pytest.approx(
            log_of(bytes_folder, "plain")[0]["loss"], abs=near
        )
    student = json.loads((bytes_folder / "float32" / "student.json").read_text())
    assert "llama3.1" in student["terms"] and student["taught_by"] == {"padded@sha256:1": ["llama3.1"]}


def test_bfloat16_learns(bytes_folder: Path) -> None:
    train(bytes_folder, short(dtype="bfloat16"))
    first, second = log_of(bytes_folder)
    assert second["loss"] < first["loss"] + 0.01


def test_a_prompt_needs_room_for_its_answer(bytes_folder: Path) -> None:
    with pytest.raises(TrainError, match=r"24 rows are longer than 40 tokens"):
        train(bytes_folder, short(max_length=40, max_new_tokens=30))


def test_texts_alone_have_no_prompts(bytes_folder: Path) -> None:
    said = (Message(role="assistant", content="The river runs."),)
    put(bytes_folder, [make_row(1).model_copy(update={"kind": "text", "messages": said})])
    with pytest.raises(TrainError, match="none of the 1 rows of the mix has a prompt"):
        train(bytes_folder, short())
