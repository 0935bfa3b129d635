from __future__ import annotations

import json
from pathlib import Path

import pytest

from distill.context import Resolved
from distill.engines import models
from distill.train import checkpoints, result
from distill.train.watch import read_log
from tests.train.small import context_of, make_row, put, spec_of, train


def test_what_is_left_is_a_model_and_so_is_every_checkpoint(folder: Path) -> None:
    import torch

    summary = train(folder, spec_of(epochs=2, checkpoint_every=2))
    out = folder / "out"
    kept = checkpoints.whole(out / "checkpoints")
    assert [path.name for path in kept] == ["checkpoint-2", "checkpoint-4", "checkpoint-5"]
    for path in kept:
        assert {file.name for file in path.iterdir()} == {
            "adapter_config.json",
            "adapter_model.safetensors",
            "student.json",
            checkpoints.MARKER,
        }
    weights = [
        models.load(Resolved("student", path, "0"), folder / "cache", "float32").model.state_dict()
        for path in (out, kept[-1], kept[0])
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not all(torch.equal(weights[0][name], weights[2][name]) for name in weights[0])
    assert len([name for name in weights[0] if "lora_A" in name]) == 3 * 7  # one layer of four is out
    loaded = models.load(Resolved("student", out, "0"), folder / "cache", "float32")
    assert loaded.template == summary["template"]


def test_the_summary_counts_rows_steps_and_tokens(folder: Path) -> None:
    put(folder, [*map(make_row, range(20)), make_row(20, words=90)])
    summary = train(folder, spec_of(epochs=1, max_length=80, too_long="drop"))
    counts = summary["counts"]
    assert counts["requested"] == counts["rows"] + counts["too_long"] == 21
    assert counts["too_long"] == 1
    assert counts["steps"] == 2
    lines = read_log(folder / "out" / "log.jsonl")
    assert [line["step"] for line in lines] == [1, 2]
    assert counts["supervised_tokens"] == sum(line["tokens"] for line in lines) == summary["tokens"]["learnt"]
    assert summary["loss"] == {"first": lines[0]["loss"], "last": lines[1]["loss"]}
    assert any("1 training rows were longer" in note for note in summary["notes"])


def test_texts_are_learnt_beside_conversations(folder: Path) -> None:
    texts = [
        row.model_copy(update={"kind": "text", "messages": row.messages[1:]}) for row in map(make_row, range(20, 30))
    ]
    put(folder, [*map(make_row, range(10)), *texts])
    summary = train(folder, spec_of(epochs=6))
    lines = read_log(folder / "out" / "log.jsonl")
    assert summary["counts"]["rows"] == 20
    assert summary["counts"]["supervised_tokens"] == sum(line["tokens"] for line in lines)
    assert summary["loss"]["last"] < summary["loss"]["first"]
    assert "the 10 plain texts are learnt whole" in (folder / "out" / "README.md").read_text()


def test_fewer_rows_than_a_step_has_places_for_are_noted(folder: Path) -> None:
    put(folder, [make_row(number) for number in range(5)])
    summary = train(folder, spec_of())
    assert summary["counts"]["steps"] == 1
    assert any("5 training rows" in note for note in summary["notes"])


def test_depth_and_terms_come_from_base_and_rows(folder: Path) -> None:
    rows = [make_row(1), make_row(2, source="real", terms=("mit",)), make_row(3, source="real", terms=())]
    put(folder, rows)
    train(folder, spec_of(max_steps=1, batch_size=2))
    student = json.loads((folder / "out" / "student.json").read_text())
    assert student["depth"] == 1
    assert sorted(student["terms"]) == ["apache-2.0", "mit", "unknown"]
    assert student["drop_layers"] == [1]
    assert student["base"]["revision"] == "sha256:0"
    card = (folder / "out" / "README.md").read_text()
    assert "teacher@1" in card
    assert "real@1" in card


def test_a_student_of_a_student_inherits_its_depth(folder: Path) -> None:
    train(folder, spec_of(max_steps=1))
    record = json.loads((folder / "out" / "student.json").read_text())
    (folder / "out" / "student.json").write_text(json.dumps({**record, "depth": 3}))
    source = Resolved("run:a/train", folder / "out", "key", ("apache-2.0",))
    assert result.describe(spec_of(), source, [make_row(1)], "abc", ())["depth"] == 3


def test_a_run_killed_after_training_does_not_train_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tidy = result.tidy

    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(result, "tidy", killed)
    with pytest.raises(KeyboardInterrupt):
        train(folder, spec_of(max_steps=2))
    monkeypatch.setattr(result, "tidy", tidy)
    monkeypatch.setattr("distill.train.loop.train", killed)
    summary = train(folder, spec_of(max_steps=2))
    assert summary["counts"]["steps"] == 2
    assert not list((folder / "out").rglob("optimizer.pt"))
    assert (folder / "out" / "checkpoints" / "checkpoint-2" / "student.json").exists()


def test_a_checkpoint_of_another_template_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distill.errors import TrainError

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(result, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        train(folder, spec_of(max_steps=2))
    monkeypatch.setattr("distill.engines.template.template_hash", lambda _: "another")
    with pytest.raises(TrainError, match="template was"):
        train(folder, spec_of(max_steps=2))


def test_the_spec_needs_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, distill.train.stage; sys.exit('torch' in sys.modules or 'trl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert context_of(Path()).runtime.per_device_batch == 8


def test_what_a_teacher_was_asked_about_is_on_the_students_card_with_its_licence(folder: Path) -> None:
    handed_on = [{"source": "real", "origin": "org/asked@1", "terms": ["mit"], "rows": 0}]
    (folder / "mix" / "asked.json").write_text(json.dumps(handed_on))
    train(folder, spec_of(max_steps=1))
    record = json.loads((folder / "out" / "student.json").read_text())
    assert {"role": "real data", "origin": "org/asked@1", "terms": ["mit"]} in record["made_from"]
    assert record["made_from"][0]["role"] == "base weights"
    assert "org/asked@1" in (folder / "out" / "LICENSE.md").read_text()
    assert "the authors of org/asked" in (folder / "out" / "licences" / "mit.txt").read_text()
    assert "## What may be done with it" in (folder / "out" / "README.md").read_text()
