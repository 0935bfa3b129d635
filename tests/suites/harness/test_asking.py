"""Tasks through our stage and through the harness itself: the same prompts, answers and scores, item by item."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")

from distill.context import Context, Resolved
from distill.engines import adapters, models
from distill.engines.server import Server
from distill.errors import SourceError
from distill.evaluate import stage
from distill.evaluate.settings import Generation, Spec
from distill.rows import Message, Row, read_rows, root_of
from distill.suites import named
from distill.suites import stage as suites
from distill.suites.kinds import AnySuite
from distill.suites.lm_eval import LmEval
from distill.suites.suite import Subject

TASKS = Path(__file__).parent / "tasks"
FOLDER = Resolved("tasks", TASKS, "1")


def suite(task: str, **more: Any) -> LmEval:
    return LmEval.model_validate({"tasks": [task], "include": "tasks", **more})


def read(out: Path, *asked: AnySuite) -> dict[str, Any]:
    """What the node `suites` leaves."""
    out.mkdir(exist_ok=True)
    context = Context(out.parent / "cache", {"tasks": FOLDER})
    return suites.run(suites.Spec(suites=asked), {}, out, context)


def evaluated(root: Path, model: Path, *asked: AnySuite, **spec: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Summary and lines of an arm."""
    read(root / "suites", *asked)
    (out := root / "evaluate").mkdir(exist_ok=True)
    resolved = {"tasks": FOLDER, "tiny": Resolved("tiny", model, "1")}
    arm = {"arm": "teacher", "model": "tiny", "dtype": "float32", "generation": Generation(), "suites": asked, **spec}
    summary = stage.run(Spec.model_validate(arm), {"suites": root / "suites"}, out, Context(root / "cache", resolved))
    return summary, [json.loads(line) for line in (out / "items.jsonl").read_text(encoding="utf-8").splitlines()]


def by_harness(model: Path, task: str) -> dict[int, dict[str, Any]]:
    """Samples of `simple_evaluate`, by item: the last way of reading an answer, with the scores of all."""
    from contextlib import chdir

    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    with chdir(TASKS):
        results = simple_evaluate(
            HFLM(pretrained=str(model), device="cpu", dtype="float32", batch_size=4),
            tasks=[task],
            task_manager=TaskManager(include_path=str(TASKS), include_defaults=False),
            apply_chat_template=True,
            fewshot_as_multiturn=True,
            bootstrap_iters=0,
        )
    samples: dict[int, dict[str, Any]] = {}
    for sample in results["samples"][task]:
        scores = {f"{name}/{sample['filter']}".removesuffix("/none"): sample[name] for name in sample["metrics"]}
        known = samples.setdefault(sample["doc_id"], {**sample, "scores": {}})
        known["scores"] |= scores
    return samples


@pytest.mark.parametrize("task", ["arithmetic", "animals", "letters"])
def test_every_item_has_the_score_that_the_harness_gives_it(task: str, sharp_model: Path, tmp_path: Path) -> None:
    summary, lines = evaluated(tmp_path, sharp_model, suite(task))
    samples = by_harness(sharp_model, task)
    assert summary["counts"]["failed"] == 0 and len(lines) == len(samples)
    rows = {row.id: row for row in read_rows(tmp_path / "suites" / f"{task}.jsonl")}
    for line in lines:
        sample = samples[int(rows[line["item"]].evidence["item"])]
        declared = {name: score for name, score in sample["scores"].items() if f"{task}.{name}" in summary["metrics"]}
        assert declared and line["metrics"].keys() == declared.keys()
        for name, score in declared.items():
            own = [float(each) for each in score] if isinstance(score, list) else [float(score)]
            assert line["metrics"][name] == {"value": pytest.approx(sum(own) / len(own)), "weight": len(own)}
        if line["answer"] is not None:
            assert line["answer"] == sample["resps"][0][0]
        _same_prompt(rows[line["item"]], sample["arguments"][0][0], sharp_model)


def _same_prompt(row: Row, prompt: str, model: Path) -> None:
    from transformers import AutoTokenizer

    from distill.engines.template import render

    assert render(AutoTokenizer.from_pretrained(model), row.prompt, generate=True) == prompt


def test_only_scores_that_are_means_over_items_are_taken(tmp_path: Path) -> None:
    read(tmp_path / "suites", suite("animals"), suite("letters"))
    animals = json.loads((tmp_path / "suites" / "animals.metrics.json").read_text())
    assert list(animals) == ["acc", "acc_norm"], "f1 is of pairs"
    assert [about["chosen"] for about in animals.values()] == [True, False]
    letters = suite("letters").measured({"suites": tmp_path / "suites"})
    assert [(name, metric.right) for name, metric in letters.items()] == [
        ("prompt_level_strict_acc", True),
        ("inst_level_strict_acc", False),
    ]


def test_a_choice_has_a_confidence(sharp_model: Path, tmp_path: Path) -> None:
    _, lines = evaluated(tmp_path, sharp_model, suite("animals", limit=3))
    assert len(lines) == 3
    assert all(line["found"] and 1 / 3 <= line["confidence"] <= 1 for line in lines)
    rows = {row.id: row for row in read_rows(tmp_path / "suites" / "animals.jsonl")}
    for line in lines:
        assert line["metrics"]["acc"]["value"] == (line["found"] == rows[line["item"]].answer), "of the same choice"


def test_an_item_that_is_too_long_fails_alone(sharp_model: Path, tmp_path: Path) -> None:
    for path in TASKS.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    with (tmp_path / "animals.jsonl").open("a") as file:
        file.write(json.dumps({"question": "Is it? " * 2000, "choices": ["yes", "no"], "label": 0}) + "\n")
    own = Resolved("tasks", tmp_path, "2")
    (root := tmp_path / "run").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "FOLDER", own)
        summary, lines = evaluated(root, sharp_model, suite("animals"))
    assert summary["counts"] == {"requested": 7, "scored": 6, "failed": 1}
    assert "more than the model's 2048 positions" in next(line["error"] for line in lines if line["error"])


def test_a_served_arm_has_no_weights_to_ask(tmp_path: Path) -> None:
    summary, lines = evaluated(tmp_path, tmp_path, suite("animals"), engine=Server())
    assert summary["counts"]["failed"] == len(lines) == 6
    assert {line["error"] for line in lines} == {
        "the engine `server` runs elsewhere, and lm_eval asks a model in this process"
    }


def test_data_that_changed_after_they_were_read_are_noticed(tmp_path: Path) -> None:
    read(tmp_path / "suites", suite("animals"))
    path = tmp_path / "suites" / "animals.jsonl"
    path.write_text(path.read_text().replace("barks", "sings"))
    from distill.suites.harness.items import matching, questions

    asked = questions(suite("animals")._loaded({"tasks": FOLDER}), None)
    with pytest.raises(SourceError, match="1 of 6 items are no longer those of the task"):
        matching(asked, list(read_rows(path)), "animals")


@pytest.mark.parametrize(
    ("task", "more", "message"),
    [
        ("arithmetik", {}, "no task 'arithmetik'; nearest there: arithmetic"),
        ("texts", {}, "asks nothing"),
        ("letters", {"shots": 2}, "says `num_fewshot: 0`, which the harness never changes"),
    ],
)
def test_a_task_that_cannot_be_asked_is_refused(task: str, more: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=message):
        read(tmp_path / "suites", suite(task, **more))


def test_a_metric_that_is_named_and_not_there_is_refused_before_training(tmp_path: Path) -> None:
    asked = (suite("animals"),)
    read(tmp_path / "suites", *asked)
    inputs, context = {"suites": tmp_path / "suites"}, Context(tmp_path / "cache", {})
    assert named.run(named.Spec(suites=asked, names=("animals.acc",)), inputs, tmp_path, context)["counts"]
    with pytest.raises(SourceError, match="animals has no metric 'accuracy'; it has acc, acc_norm"):
        named.run(named.Spec(suites=asked, names=("animals.accuracy",)), inputs, tmp_path, context)


def test_examples_and_a_description_come_before_the_question(tmp_path: Path) -> None:
    read(tmp_path / "suites", suite("arithmetic", limit=2, shots=1))
    rows = list(read_rows(tmp_path / "suites" / "arithmetic.jsonl"))
    assert [message.role for message in rows[0].prompt] == ["system", "user", "assistant", "user"]
    assert len({row.provenance.root for row in rows}) == len(rows), "the same example does not make them one"


def test_a_row_that_asks_the_question_without_the_words_of_the_task_is_recognised(tmp_path: Path) -> None:
    read(tmp_path / "suites", *(suite("arithmetic", shots=shots, name=f"with{shots}") for shots in (0, 1)))
    asked = [json.loads(line)["question"] for line in (TASKS / "arithmetic.jsonl").read_text().splitlines()]
    for shots in (0, 1):
        rows = list(read_rows(tmp_path / "suites" / f"with{shots}.jsonl"))
        assert len(rows) == len(asked)
        for row, question in zip(rows, asked, strict=True):
            assert row.question == f"Question: {question}\nAnswer:" and row.evidence["question"] == question
            assert root_of([Message(role="user", content=question)]) in row.roots


def test_of_several_texts_nobody_says_which_is_the_question(tmp_path: Path) -> None:
    shutil.copytree(TASKS, folder := tmp_path / "tasks")
    task = (folder / "animals.yaml").read_text().replace("{{question}}", "{{question}} {{choices[0]}}")
    (folder / "animals.yaml").write_text(task)
    lines = [json.loads(line) for line in (folder / "animals.jsonl").read_text().splitlines()]
    context = {"tasks": Resolved("tasks", folder, "3")}
    assert [row.evidence["question"] for row in suite("animals").load(context)] == [line["question"] for line in lines]
    (folder / "animals.yaml").write_text(task.replace("choices[0]", "passage"))
    written = [json.dumps({**line, "passage": "Of animals."}) + "\n" for line in lines]
    (folder / "animals.jsonl").write_text("".join(written))
    rows = list(suite("animals").load({"tasks": Resolved("tasks", folder, "4")}))
    assert [row.question for row in rows] == [f"{line['question']} Of animals." for line in lines]
    assert not any("question" in row.evidence for row in rows)


def test_an_item_is_scored_the_same_whatever_share_of_them_a_process_has(sharp_model: Path, tmp_path: Path) -> None:
    one = suite("animals")
    rows = list(one.load({"tasks": FOLDER}))
    source = Resolved("tiny", sharp_model, "1")
    loaded = models.load(source, tmp_path, "float32")
    subject = Subject(loaded.model, models.load_tokenizer(source, tmp_path), {"tasks": FOLDER}, 256)
    whole = one.examine(rows, subject)
    shares = [one.examine(rows[rank::2], subject) for rank in range(2)]
    for place, judged in enumerate(whole):
        own = shares[place % 2][place // 2]
        assert (own.measures, own.found) == (judged.measures, judged.found)
        assert own.confidence == pytest.approx(judged.confidence, abs=1e-5)
    assert one.examine([], subject) == []


def test_without_the_harness_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SourceError, match=r"pip install 'distill\[eval\]'"):
        read(tmp_path / "suites", suite("animals", shots=7))


def test_a_student_is_asked_with_its_layers_out_and_its_adapter_on(sharp_model: Path, tmp_path: Path) -> None:
    import torch

    source, out = Resolved("tiny", sharp_model, "1"), (1, 2)
    wearing: Any = adapters.attach(models.load(source, tmp_path, "float32", out).model, 4, 8, 0.0, "all-linear", seed=1)
    with torch.no_grad():
        for name, weight in wearing.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.1)
    adapters.save(wearing, tmp_path / "adapter")
    one = suite("animals", limit=3)
    rows = list(one.load({"tasks": FOLDER}))

    def sure(model: Any) -> list[float]:
        subject = Subject(model, models.load_tokenizer(source, tmp_path), {"tasks": FOLDER}, 256)
        return [judged.confidence or 0 for judged in one.examine(rows, subject)]

    student = models.load(source, tmp_path, "float32", out, tmp_path / "adapter").model
    base = sure(models.load(source, tmp_path, "float32", out).model)
    found = sure(student)
    assert found == pytest.approx(sure(adapters.merge(student)), abs=1e-4)
    assert found != pytest.approx(base, abs=1e-3)
