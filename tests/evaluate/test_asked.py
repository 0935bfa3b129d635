"""Suites with data of their own through the stage: what is asked, what a line says of it, and bad answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distill.context import Context, Resolved
from distill.evaluate import arms, stage
from distill.evaluate.settings import Generation, Spec
from distill.rows import write_rows
from distill.suites.choices import Choices
from distill.suites.programs import Programs
from distill.suites.sourced import Sourced
from distill.suites.text import Text
from tests.evaluate.fakes import FakeEngine, FakeScorer
from tests.evaluate.test_stage import lines
from tests.suites.written import data, load

RECORDS = [
    {"q": f"Say {word}!", "a": f"!{word[::-1]} yaS", "options": ["a", word, "bb"], "right": word}
    for word in ("abba", "cd", "e")
]


def texts(folder: Path, **more: Any) -> Text:
    source = {"data": data(folder, RECORDS), "prompt": "q", "answer": "a"}
    return Text.model_validate({"source": source, "max_new_tokens": 20, **more})


def choices(folder: Path, **more: Any) -> Choices:
    source = {"data": data(folder, RECORDS), "prompt": "q"}
    return Choices.model_validate({"source": source, "options": "options", "right": "right", **more})


def evaluate(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    suite: Sourced,
    scorer: FakeScorer | None = None,
    engine: FakeEngine | None = None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    (folder / "suites").mkdir()
    write_rows(folder / "suites" / f"{suite.label}.jsonl", load(suite))
    monkeypatch.setattr(arms, "open_scorer", lambda *_args, **_named: scorer or FakeScorer())
    monkeypatch.setattr(arms, "open_engine", lambda *_args, **_named: engine or FakeEngine())
    spec = Spec.model_validate(
        {"arm": "base", "model": "m", "suites": [suite], "generation": Generation(), "dtype": "float32"}
    )
    summary = stage.run(
        spec, {"suites": folder / "suites"}, folder, Context(folder / "cache", {"m": Resolved("m", folder / "m", "1")})
    )
    return summary, lines(folder)


def test_an_answered_suite_has_its_measures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    summary, found = evaluate(monkeypatch, tmp_path, texts(tmp_path, until=["S"]))
    assert [line["answer"] for line in found] == [record["a"] for record in RECORDS]
    assert [line["found"] for line in found] == [record["a"][: -len("Say")].strip() + " ya" for record in RECORDS]
    assert all(line["metrics"]["exact_match"] == {"value": 0, "weight": 1} for line in found)
    assert list(summary["metrics"]) == [f"text.{name}" for name in Text.METRICS]
    assert summary["metrics"]["text.exact_match"]["right"]
    assert summary["decoding"]["text"]["max_new_tokens"] == 20
    assert summary["counts"] == {"requested": 3, "scored": 3, "failed": 0}


def test_a_question_that_failed_has_a_reason_and_no_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    summary, found = evaluate(monkeypatch, tmp_path, texts(tmp_path), engine=FakeEngine(errors={"Say cd!": "too long"}))
    assert [line["error"] for line in found] == [None, "too long", None]
    assert found[1]["metrics"] == {}
    assert summary["counts"] == {"requested": 3, "scored": 2, "failed": 1}


def test_several_samples_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = FakeEngine()
    summary, found = evaluate(monkeypatch, tmp_path, texts(tmp_path, samples=3, temperature=1), engine=engine)
    assert len(engine.asked) == 9
    assert [len(line["answers"]) for line in found] == [2, 2, 2]
    assert not summary["metrics"]["text.exact_match"]["right"]


@pytest.mark.parametrize("kind", ["text", "programs"])
def test_an_item_of_which_not_every_answer_came_has_no_number(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine, more = FakeEngine(by_sample={1: "timed out"}), {"samples": 3, "temperature": 1}
    suite: Sourced = texts(tmp_path, **more)
    if kind == "programs":
        source = {"data": data(tmp_path, RECORDS), "prompt": "q", "evidence": {"tests": "a"}}
        suite = Programs.model_validate({"source": source, **more})
    summary, found = evaluate(monkeypatch, tmp_path, suite, engine=engine)
    assert {line["error"] for line in found} == {"only 2 of 3 answers came: timed out"}
    assert [line["metrics"] for line in found] == [{}] * 3 and all(line["answer"] for line in found)
    assert summary["counts"] == {"requested": 3, "scored": 0, "failed": 3}


def test_what_is_chosen_stands_on_the_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = FakeEngine()
    summary, found = evaluate(monkeypatch, tmp_path, choices(tmp_path), engine=engine)
    assert engine.asked == []
    for line, record in zip(found, RECORDS, strict=True):
        assert line["found"] in record["options"]
        assert line["metrics"]["accuracy"]["value"] == (line["found"] == record["options"][1])
        assert 1 / 3 <= line["confidence"] <= 1
        assert (line["reference"], line["answer"], line["error"]) == (record["options"][1], None, None)
    assert summary["decoding"] == {"thinking": "apart"}
    assert set(summary["metrics"]) == {"choices.accuracy", "choices.accuracy_norm", "choices.brier"}


def test_an_option_without_a_number_leaves_no_choice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    summary, found = evaluate(monkeypatch, tmp_path, choices(tmp_path), scorer=FakeScorer(nan="cd"))
    assert [line["error"] for line in found] == [None, "the log-likelihood of an option is no number", None]
    assert found[1]["metrics"] == {} and found[1]["confidence"] is None
    assert summary["counts"]["failed"] == 1


def test_an_option_that_cannot_be_scored_leaves_no_choice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, found = evaluate(monkeypatch, tmp_path, choices(tmp_path), scorer=FakeScorer(errors={"cd": "9000 tokens"}))
    assert [line["error"] for line in found] == [None, "9000 tokens", None]


@pytest.mark.parametrize("answer", ["text", "letter"])
def test_the_likelihoods_are_those_of_transformers(answer: str, tiny_model: Path, tmp_path: Path) -> None:
    import torch

    from distill.context import Context
    from distill.engines import models
    from distill.engines.open import open_scorer
    from distill.engines.template import prompt_ids
    from distill.engines.transformers import Transformers
    from distill.evaluate import choosing
    from distill.evaluate.answers import Item

    suite = choices(tmp_path, answer=answer)
    items = [Item("choices", row) for row in load(suite)]
    source = Resolved("tiny", tiny_model, "tiny-1")
    context = Context(tmp_path / "cache", {"tiny": source})
    scorer = open_scorer(Transformers(dtype="float32"), source, context)
    found = choosing.likelihoods([(item, suite.candidates(item.row)) for item in items], scorer, context)
    loaded = models.load(source, tmp_path / "cache", "float32")
    for item in items:
        for option, logprob in zip(suite.candidates(item.row), found[item.key].logprobs, strict=True):
            before = prompt_ids(loaded.tokenizer, item.row.prompt)
            own = loaded.tokenizer(option, add_special_tokens=False)["input_ids"]
            with torch.no_grad():
                logits = loaded.model(torch.tensor([before + own])).logits[0].log_softmax(-1)
            expected = sum(float(logits[len(before) + place - 1, token]) for place, token in enumerate(own))
            assert logprob == pytest.approx(expected, abs=1e-4)
