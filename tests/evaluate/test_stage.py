"""The stage as a whole, with engines whose numbers are known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from distill.context import Context, Resolved
from distill.endpoint import Endpoint, Price
from distill.engines.echo import Echo
from distill.engines.server import Server
from distill.errors import ArtifactError, CompareError, DistillError
from distill.evaluate import arms, stage, teacher
from distill.evaluate.settings import Generation, Spec
from distill.rows import Row, write_rows
from distill.suites.heldout import HeldOutReal, HeldOutTeacher
from tests.evaluate.fakes import FakeEngine, FakeScorer, row

QUESTIONS = [f"Question number {n}?" for n in range(8)]
RESOLVED = {name: Resolved(name, Path(name), f"{name}-revision") for name in ("big", "small")}
SPEC = Spec(
    arm="teacher",
    model="big",
    suites=(HeldOutTeacher(), HeldOutReal()),
    generation=Generation(items=3, max_new_tokens=10),
    dtype="float32",
    top_k=4,
)


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    """Eight held-out prompts with a real and a teacher's answer each."""
    return folders(
        tmp_path,
        [row(question, f"{question} Indeed.", "teacher") for question in QUESTIONS],
        [row(question, "A real answer.") for question in QUESTIONS],
    )


def folders(root: Path, answered: list[Row], real: list[Row]) -> dict[str, Path]:
    (root / "split" / "heldout").mkdir(parents=True)
    (root / "heldout").mkdir()
    write_rows(root / "split" / "heldout" / "chat.jsonl", real)
    write_rows(root / "heldout" / "rows.jsonl", answered)
    return {"split": root / "split", "heldout": root / "heldout"}


def evaluate(
    monkeypatch: pytest.MonkeyPatch,
    spec: Spec,
    inputs: Mapping[str, Path],
    scorer: FakeScorer,
    engine: FakeEngine | None = None,
) -> tuple[dict[str, Any], Path]:
    """Summary and folder of an arm."""
    monkeypatch.setattr(arms, "open_scorer", lambda *_args, **_named: scorer)
    monkeypatch.setattr(arms, "open_engine", lambda *_args, **_named: engine or FakeEngine())
    out = inputs["split"].parent / f"evaluate-{spec.arm}"
    out.mkdir(exist_ok=True)
    return stage.run(spec, inputs, out, Context(inputs["split"].parent / "cache", RESOLVED)), out


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_teacher_has_every_metric_and_leaves_its_distributions(
    monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Path]
) -> None:
    summary, out = evaluate(monkeypatch, SPEC, inputs, FakeScorer())
    found = lines(out)
    assert [line["suite"] for line in found] == ["heldout_teacher"] * 8 + ["heldout_real"] * 8
    assert all({"loss", "bits_per_byte", "agreement", "kl"} <= set(line["metrics"]) for line in found)
    assert all(line["metrics"]["agreement"]["value"] == 1 for line in found)
    assert sum("chrf" in line["metrics"] for line in found) == 6
    assert all(("chrf" in line["metrics"]) == (line["answer"] is not None) for line in found)
    assert summary["counts"] == {"requested": 16, "scored": 16, "failed": 0}
    assert summary["decoding"]["thinking"] == "apart"
    for suite in ("heldout_teacher", "heldout_real"):
        how = summary["decoding"][suite]
        assert (how["temperature"], how["items"], how["max_new_tokens"], how["samples"]) == (0, 3, 10, 1)
    assert (summary["arm"], summary["model"]) == ("teacher", "big@big-revision")
    assert (summary["template"], summary["tokenizer"]) == ("plain", "characters")
    assert summary["dtype"] == SPEC.dtype
    kept = teacher.read(out / teacher.FILE)
    assert kept.items.keys() == {f"{line['suite']}/{line['item']}" for line in found}
    assert kept.model == "big@big-revision"


def test_a_line_says_what_was_asked_and_answered(monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Path]) -> None:
    _, out = evaluate(monkeypatch, SPEC, inputs, FakeScorer())
    line = next(line for line in lines(out) if line["answer"] is not None and line["suite"] == "heldout_real")
    assert list(line) == [
        "suite", "item", "root", "asked", "question", "reference",
        "answer", "answers", "found", "why", "confidence", "metrics", "error",
    ]  # fmt: skip
    source = row(line["question"], "A real answer.")
    assert (line["item"], line["root"], line["reference"]) == (source.id, source.provenance.root, "A real answer.")
    assert line["answer"] == line["question"][::-1][:10]
    assert line["metrics"]["loss"]["weight"] == len("A real answer.") + 1
    assert line["metrics"]["bits_per_byte"]["weight"] == len("A real answer.")
    assert line["metrics"]["chrf"]["weight"] == 1


def test_another_arm_is_measured_against_the_teacher(monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Path]) -> None:
    inputs[stage.TEACHER] = evaluate(monkeypatch, SPEC, inputs, FakeScorer())[1]
    base = SPEC.model_copy(update={"arm": "base", "model": "small"})
    summary, out = evaluate(monkeypatch, base, inputs, FakeScorer(seed=1))
    found, reference = lines(out), lines(inputs[stage.TEACHER])
    assert [line["item"] for line in found] == [line["item"] for line in reference]
    assert all(line["metrics"]["kl"]["value"] > 0 for line in found)
    assert not (out / teacher.FILE).exists()
    assert summary["model"] == "small@small-revision"


def test_tokens_count_a_shared_prompt_once(monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Path]) -> None:
    engine = FakeEngine()
    summary, _ = evaluate(monkeypatch, SPEC, inputs, FakeScorer(), engine)
    assert len(engine.asked) == 3
    assert summary["tokens"] == {"prompt": 3 * len(QUESTIONS[0]), "new": 30}
    assert summary["answers"] == {"length": 6}
    assert "6 of 6 answers were cut at max_new_tokens." in summary["notes"]


def test_what_a_served_teacher_answers_costs_money(monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Path]) -> None:
    server = Endpoint(address="http://a/v1", price=Price(prompt=0, completion=1e5))
    monkeypatch.setattr("distill.context.Runtime.endpoint", lambda *_: server)
    assert evaluate(monkeypatch, SPEC, inputs, FakeScorer())[0]["money"] == 0
    served = SPEC.model_copy(update={"engine": Server()})
    assert evaluate(monkeypatch, served, inputs, FakeScorer())[0]["money"] == 3


def test_generation_can_be_left_out(monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Path]) -> None:
    spec = SPEC.model_copy(update={"generation": Generation(items=0)})
    engine = FakeEngine()
    summary, out = evaluate(monkeypatch, spec, inputs, FakeScorer(), engine)
    assert engine.asked == []
    assert all(line["answer"] is None and "chrf" not in line["metrics"] for line in lines(out))
    assert summary["tokens"] == {"prompt": 0, "new": 0}


def test_failures_are_counted_and_have_no_number(monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Path]) -> None:
    spec = SPEC.model_copy(update={"suites": (HeldOutTeacher(),)})
    long = f"{QUESTIONS[3]} Indeed."
    summary, out = evaluate(monkeypatch, spec, inputs, FakeScorer(errors={long: "9000 tokens do not fit into 2048"}))
    failed = [line for line in lines(out) if line["error"]]
    assert [(line["reference"], line["error"]) for line in failed] == [(long, "9000 tokens do not fit into 2048")]
    assert "loss" not in failed[0]["metrics"]
    assert summary["counts"] == {"requested": 8, "scored": 7, "failed": 1}
    assert "1 of 8 items could not be scored: 9000 tokens do not fit into 2048." in summary["notes"]


def test_an_answer_that_failed_leaves_the_loss(monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Path]) -> None:
    engine = FakeEngine(errors=dict.fromkeys(QUESTIONS, "out of memory"))
    summary, out = evaluate(monkeypatch, SPEC, inputs, FakeScorer(), engine)
    assert all(line["answer"] is None and "chrf" not in line["metrics"] for line in lines(out))
    assert all("loss" in line["metrics"] and line["error"] is None for line in lines(out))
    assert summary["counts"]["failed"] == 0
    assert "6 of 6 questions got no answer: out of memory." in summary["notes"]


def test_a_suite_without_items_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inputs = folders(tmp_path, [], [row("Q?", "A.")])
    with pytest.raises(DistillError, match=r"heldout_teacher: there is no item") as error:
        evaluate(monkeypatch, SPEC, inputs, FakeScorer())
    assert error.value.hint is not None
    assert "max_new_tokens" in error.value.hint


def test_another_vocabulary_leaves_bits_per_byte(monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Path]) -> None:
    inputs[stage.TEACHER] = evaluate(monkeypatch, SPEC, inputs, FakeScorer())[1]
    base = SPEC.model_copy(update={"arm": "base", "model": "small"})
    summary, out = evaluate(monkeypatch, base, inputs, FakeScorer(tokenizer="words", template="words"))
    assert all({"loss", "bits_per_byte"} == set(line["metrics"]) - {"chrf"} for line in lines(out))
    assert any("vocabulary is not the teacher's" in note for note in summary["notes"])


def test_another_template_is_an_error(monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Path]) -> None:
    inputs[stage.TEACHER] = evaluate(monkeypatch, SPEC, inputs, FakeScorer())[1]
    base = SPEC.model_copy(update={"arm": "base", "model": "small"})
    with pytest.raises(CompareError, match="template"):
        evaluate(monkeypatch, base, inputs, FakeScorer(template="other"))


def test_echo_answers_and_has_no_loss(monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Path]) -> None:
    spec = SPEC.model_copy(update={"engine": Echo()})
    summary, out = evaluate(monkeypatch, spec, inputs, FakeScorer())
    inputs[stage.TEACHER] = out
    found = lines(out)
    assert all(set(line["metrics"]) == (set() if line["error"] else {"chrf"}) for line in found)
    assert summary["dtype"] is None
    assert summary["counts"] == {"requested": 16, "scored": 6, "failed": 10}
    assert f"10 of 16 items could not be scored: {stage.MUTE.format('echo')}." in summary["notes"]
    base = SPEC.model_copy(update={"arm": "base", "model": "small"})
    summary, out = evaluate(monkeypatch, base, inputs, FakeScorer())
    assert all({"loss", "bits_per_byte"} == set(line["metrics"]) - {"chrf"} for line in lines(out))
    assert any("agreement and KL are left out" in note for note in summary["notes"])


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """What training leaves, without the weights."""
    folder = tmp_path / "train"
    (folder / "adapter").mkdir(parents=True)
    for step in (5, 10):
        (folder / "checkpoints" / f"checkpoint-{step}").mkdir(parents=True)
    (tmp_path / "model").mkdir()
    base = {"ref": "small", "path": str(tmp_path / "model"), "revision": "7"}
    (folder / "student.json").write_text(json.dumps({"base": base, "drop_layers": [1, 2], "adapter": "adapter"}))
    return folder


def test_the_student_is_what_training_left(trained: Path) -> None:
    arm = arms.student(trained, None)
    assert arm.source == Resolved("small", trained.parent / "model", "7")
    assert (arm.drop_layers, arm.adapter) == ((1, 2), trained / "adapter")
    assert arms.student(trained, 5).adapter == trained / "checkpoints" / "checkpoint-5"


def test_a_checkpoint_that_is_not_there_names_those_that_are(trained: Path) -> None:
    with pytest.raises(DistillError, match="training kept 5, 10"):
        arms.student(trained, 7)


def test_no_student_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no student\.json"):
        arms.student(tmp_path, None)
