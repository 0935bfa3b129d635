"""The loss on real rows, and what it decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distill.engines import models
from distill.errors import TrainError
from distill.train import checkpoints, result, validate
from distill.train.forward import row_losses
from distill.train.log import read_log
from scripts.gpu_check import losses_of
from tests.train.small import context_of, inputs_of, make_row, put, spec_of, train

OTHER = [make_row(number, words=4, source="real") for number in range(100, 112)]


@pytest.fixture
def watched(folder: Path) -> Path:
    put(folder, [make_row(number) for number in range(40)], OTHER)
    return folder


def test_it_is_the_mean_over_the_learnt_tokens_whatever_the_passes(
    watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    context = context_of(watched)
    loaded = models.load(context.resolved["tiny"], context.cache, "float32")
    path = inputs_of(watched)["tokenise"] / "validation.arrow"
    real = validate.read(path, 2048)
    assert real is not None and len(real) == len(OTHER)
    total = count = 0.0
    for row in real.table:
        labels = torch.tensor(row["labels"])
        with torch.no_grad():
            logits = loaded.model(torch.tensor([row["input_ids"]])).logits[0, :-1].float()
        total += float(torch.nn.functional.cross_entropy(logits, labels[1:], reduction="sum"))
        count += row["learnt"]
    assert real.loss(loaded.model, "float32", context.ranks) == pytest.approx(total / count, abs=1e-5)
    monkeypatch.setattr(validate, "PASS", 60)
    small = validate.read(path, 2048)
    assert small is not None and len(small.passes) > len(real.passes)
    assert small.loss(loaded.model, "float32", context.ranks) == pytest.approx(total / count, abs=1e-5)


def test_rows_too_long_are_left_out_and_none_at_all_is_none(watched: Path) -> None:
    path = inputs_of(watched)["tokenise"] / "validation.arrow"
    assert validate.read(path, 3) is None
    assert validate.read(path.with_name("nonesuch.arrow"), 2048) is None


def test_a_step_is_the_same_with_and_without_being_watched(watched: Path) -> None:
    """Dropout draws the same numbers."""
    spec = spec_of(max_steps=4, checkpoint_every=1, dropout=0.1)
    train(watched, spec)
    put(watched, [make_row(number) for number in range(40)])
    train(watched, spec, out="unwatched")
    logs = [read_log(watched / out / "log.jsonl") for out in ("out", "unwatched")]
    assert [line["loss"] for line in logs[0][1:]] == [line["loss"] for line in logs[1]]
    assert not any("real_loss" in line for line in logs[1])


def test_the_best_is_kept_the_rest_is_not_trained_and_a_kill_changes_nothing(
    watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large rate learns the training rows by heart, and what other rows say becomes unlikely."""
    spec = spec_of(max_steps=30, checkpoint_every=2, learning_rate=5e-2, patience=3)
    summary = train(watched, spec)
    out, lines = watched / "out", read_log(watched / "out" / "log.jsonl")
    measured = {line["step"]: line["real_loss"] for line in lines if "real_loss" in line}
    kept = summary["kept"]
    assert list(measured)[:2] == [0, 2]
    assert kept["step"] == min((step for step in measured if step), key=lambda step: measured[step])
    assert kept["ended"] == kept["step"] + 3 * 2 == lines[-1]["step"] == summary["counts"]["steps"] < 30
    assert summary["counts"]["supervised_tokens"] == sum(line.get("tokens", 0) for line in lines)
    weights = "adapter_model.safetensors"
    best = checkpoints.folder_of(out / "checkpoints", kept["step"])
    assert (out / "adapter" / weights).read_bytes() == (best / weights).read_bytes()
    assert (
        f"step {kept['step']} of 30" in summary["notes"][0]
        and f"step {kept['step']} of 30" in (out / "README.md").read_text()
    )

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    write = result.write
    monkeypatch.setattr(result, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        train(watched, spec, out="again")
    monkeypatch.setattr(result, "write", write)
    monkeypatch.setattr("transformers.Trainer.training_step", killed)
    assert train(watched, spec, out="again") == summary


def test_the_ledger_has_every_checkpoint(watched: Path) -> None:
    train(watched, spec_of(max_steps=5, checkpoint_every=2))
    lines = {line["step"]: line for line in read_log(watched / "out" / "log.jsonl")}
    ledger = read_log(watched / "out" / "checkpoints.jsonl")
    assert [one["step"] for one in ledger] == [2, 4, 5]
    for one in ledger:
        assert (one["loss"], one["real_loss"]) == (lines[one["step"]]["loss"], lines[one["step"]]["real_loss"])
        assert (watched / "out" / one["folder"] / "adapter_model.safetensors").exists()
        assert one["planned"] and one["processes"] == 1 and one["template"] and one["when"]
    assert losses_of(watched / "out" / "log.jsonl") == [lines[step]["loss"] for step in range(1, 6)]


def interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(result, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            train(folder, spec_of(max_steps=2, checkpoint_every=1))
    last = checkpoints.last_whole(folder / "out" / "checkpoints")
    assert last is not None
    return last


@pytest.mark.parametrize(
    "change", [{"batch_size": 8}, {"max_steps": 3}, {"learning_rate": 1e-4}, {"seed": 6}, {"rows": 30}]
)
def test_a_checkpoint_of_another_training_is_refused_and_what_differs_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    last = interrupted(folder, monkeypatch)
    if "rows" in change:
        put(folder, [make_row(number) for number in range(change["rows"])])
        change = {}
        name = "data"
    else:
        name = next(iter(change)) if "seed" in change else f"train.{next(iter(change))}"
    with pytest.raises(TrainError, match="it belongs to another training") as error:
        train(folder, spec_of(**{"max_steps": 2, "checkpoint_every": 1, **change}))
    assert f"{name} was" in str(error.value) and str(last) in str(error.value)


def damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """One token of the base model is damaged, as a torn download may leave it: rows that say it twice give no number."""
    import torch

    load = models.load

    def damaged(*arguments: Any, **named: Any) -> Any:
        loaded = load(*arguments, **named)
        bad = loaded.tokenizer("99", add_special_tokens=False)["input_ids"][-1]

        def hurt(_module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
            twice = (inputs[0] == bad).sum(1) > 1
            return output * torch.where(twice, float("nan"), 1.0)[:, None, None]

        loaded.model.get_input_embeddings().register_forward_hook(hurt)
        return loaded

    monkeypatch.setattr(models, "load", damaged)


def test_the_row_at_fault_is_named_and_the_others_are_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [*(make_row(number) for number in range(15)), make_row(99)]
    put(folder, rows)
    damage(monkeypatch)
    with pytest.raises(TrainError, match=r"step 1 of 3: (.|\n)*of 16 rows these give no number by themselves") as error:
        train(folder, spec_of(max_steps=3))
    assert rows[-1].id in str(error.value) and not any(row.id in str(error.value) for row in rows[:-1])
    assert "no checkpoint was written yet" in str(error.value)


def test_a_real_row_at_fault_is_named_before_anything_is_learnt(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = [make_row(number, 4, "real") for number in (41, 42, 99)]
    put(folder, [make_row(number) for number in range(20)], real)
    damage(monkeypatch)
    with pytest.raises(TrainError, match=r"the loss on real rows is nan; of 3 rows these give no number") as error:
        train(folder, spec_of(max_steps=3))
    assert real[2].id in str(error.value) and real[0].id not in str(error.value)
    assert not (folder / "out" / "log.jsonl").read_text()


def test_an_adapter_that_changes_nothing_is_never_a_finished_one(folder: Path) -> None:
    with pytest.raises(TrainError, match="the adapter changes nothing"):
        train(folder, spec_of(max_steps=1, learning_rate=1e-46))
    assert not (folder / "out" / "adapter").exists() and not (folder / "out" / "summary.json").exists()
    assert not checkpoints.whole(folder / "out" / "checkpoints")


def test_an_adapter_that_is_no_number_is_never_a_finished_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    step = torch.optim.AdamW.step

    def damage(self: Any, *arguments: Any, **named: Any) -> Any:
        done = step(self, *arguments, **named)
        with torch.no_grad():
            self.param_groups[0]["params"][0][0] = float("nan")
        return done

    monkeypatch.setattr(torch.optim.AdamW, "step", damage)
    with pytest.raises(TrainError, match="adapter weights are not numbers"):
        train(folder, spec_of(max_steps=1))
    assert not (folder / "out" / "adapter").exists() and not checkpoints.whole(folder / "out" / "checkpoints")


def test_a_row_alone_costs_what_it_costs_among_others(watched: Path) -> None:
    context = context_of(watched)
    model = models.load(context.resolved["tiny"], context.cache, "float32").model
    real = validate.read(inputs_of(watched)["tokenise"] / "validation.arrow", 2048)
    assert real is not None
    rows = real.table.to_list()
    model.train()
    together = row_losses(model, rows, "float32")
    assert together == pytest.approx([row_losses(model, [row], "float32")[0] for row in rows], abs=1e-4)
    assert model.training


def test_the_summary_can_be_written(watched: Path) -> None:
    assert json.dumps(train(watched, spec_of(max_steps=1)), allow_nan=False)
