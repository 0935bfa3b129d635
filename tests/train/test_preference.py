"""DPO on the tiny model: what it is held near to, what rises, what is left on disk."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from distill.errors import TrainError
from distill.train.log import read_log
from tests.train.small import interrupted_at, make_pair, put, spec_of, train

WEIGHTS = "adapter/adapter_model.safetensors"


def test_chosen_answers_gain_on_rejected_ones_from_a_loss_of_ln_2(bytes_folder: Path) -> None:
    summary = train(bytes_folder, spec_of(objective="preference", epochs=3, batch_size=8))
    first, *_, last = read_log(bytes_folder / "out" / "log.jsonl")
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert first["margin"] == pytest.approx(0, abs=1e-6)
    assert last["loss"] < first["loss"] - 0.02
    assert last["accuracy"] > 0.9 and last["margin"] == pytest.approx(last["reward_chosen"] - last["reward_rejected"])
    assert last["margin"] > 0.05
    assert summary["counts"]["rows"] == 24 and summary["counts"]["steps"] == 9
    tokens = sum(line["tokens"] for line in read_log(bytes_folder / "out" / "log.jsonl"))
    assert summary["counts"]["supervised_tokens"] == tokens == summary["tokens"]["learnt"]
    assert summary["tokens"]["read"] > 0


def test_after_sft_the_reference_is_the_sft_student(bytes_folder: Path) -> None:
    train(bytes_folder, spec_of(max_steps=6), out="sft")
    train(bytes_folder, spec_of(objective="preference", max_steps=2, batch_size=8), after="sft")
    first, second = read_log(bytes_folder / "out" / "log.jsonl")
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-6), "the student is where it is held"
    train(bytes_folder, spec_of(objective="preference", max_steps=1, batch_size=8), out="fresh")
    assert first["logp_chosen"] > read_log(bytes_folder / "fresh" / "log.jsonl")[0]["logp_chosen"] + 1, (
        "and that is not the base"
    )
    assert second["margin"] > 0


def test_where_all_weights_are_trained_a_copy_of_them_is_the_reference(bytes_folder: Path) -> None:
    spec = spec_of(objective="preference", max_steps=3, batch_size=8, learning_rate=1e-3)
    train(bytes_folder, spec.model_copy(update={"student": spec.student.model_copy(update={"lora": None})}))
    first, *_, last = read_log(bytes_folder / "out" / "log.jsonl")
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert last["margin"] > 0.01


def test_one_adapter_is_written_and_not_the_frozen_copy(bytes_folder: Path) -> None:
    from safetensors.torch import load_file

    train(bytes_folder, spec_of(objective="preference", max_steps=2, batch_size=8, checkpoint_every=1))
    for folder in (bytes_folder / "out" / "adapter", *(bytes_folder / "out" / "checkpoints").iterdir()):
        assert not [path for path in folder.iterdir() if path.is_dir()]
    assert not [name for name in load_file(bytes_folder / "out" / WEIGHTS) if "ref" in name]
    assert json.loads((bytes_folder / "out" / "student.json").read_text())["objective"] == "preference"


def test_passes_of_any_size_give_the_same_losses(bytes_folder: Path) -> None:
    for per_device in (8, 2):
        spec = spec_of(objective="preference", max_steps=3, batch_size=8)
        train(bytes_folder, spec, out=str(per_device), per_device_batch=per_device)
    eight, two = (read_log(bytes_folder / out / "log.jsonl") for out in ("8", "2"))
    for name in ("loss", "margin", "grad_norm"):
        assert [line[name] for line in two] == pytest.approx([line[name] for line in eight], abs=1e-4), name


def test_interrupted_and_resumed_is_bit_for_bit_the_undisturbed_run(bytes_folder: Path) -> None:
    spec = spec_of(objective="preference", max_steps=5, batch_size=8, checkpoint_every=2)
    train(bytes_folder, spec_of(max_steps=2), out="sft")
    train(bytes_folder, spec, out="undisturbed", after="sft")
    with interrupted_at(4):
        train(bytes_folder, spec, after="sft")
    train(bytes_folder, spec, after="sft")
    for name in (WEIGHTS, "log.jsonl", "summary.json"):
        assert (bytes_folder / "out" / name).read_bytes() == (bytes_folder / "undisturbed" / name).read_bytes(), name


def test_a_pair_is_too_long_by_its_longer_conversation(bytes_folder: Path) -> None:
    long = make_pair(30)
    words = " ".join(["never"] * 90)
    long = long.model_copy(update={"rejected": (long.rejected[0].model_copy(update={"content": words}),)})
    put(bytes_folder, [*map(make_pair, range(8)), long])
    with pytest.raises(TrainError, match=rf"1 rows are longer than 200 tokens: {long.id} \(5\d\d\)"):
        train(bytes_folder, spec_of(objective="preference", max_steps=1, batch_size=4, max_length=200))
    summary = train(
        bytes_folder, spec_of(objective="preference", max_steps=1, batch_size=4, max_length=200, too_long="drop")
    )
    assert summary["counts"]["requested"] == 9 and summary["counts"]["too_long"] == 1
