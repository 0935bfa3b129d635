"""The verdict is the strictest of the inputs; unknown is never ok."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.compare.terms import judge, read_terms
from distill.rows import write_rows
from tests.compare.conftest import row

Make = Callable[..., dict[str, Path]]


def test_known_permissive_inputs_are_ok_with_their_conditions() -> None:
    terms = judge([("base weights", "a@1", ["Apache-2.0"]), ("real data", "b@1", ["cc-by-4.0"])], "research")
    assert terms.verdict == "ok" and [item.verdict for item in terms.inputs] == ["ok", "ok"]
    assert any("attribution" in text and "b@1" in text for text in terms.conditions)
    assert "No legal advice" in terms.disclaimer


@pytest.mark.parametrize("doubtful", [[], ["gemma"], ["apache-2.0", "llama3.1"]])
def test_one_doubtful_input_decides(doubtful: list[str]) -> None:
    terms = judge([("base weights", "a@1", ["mit"]), ("real data", "b@1", doubtful)], "commercial")
    assert terms.verdict == "review" and [item.verdict for item in terms.inputs] == ["ok", "review"]
    assert any("b@1" in text for text in terms.conditions)


def test_nothing_at_all_is_review() -> None:
    assert judge([], "research").verdict == "review"


def test_a_condition_is_said_once_for_all_it_comes_from() -> None:
    terms = judge([("base weights", "a@1", ["mit"]), ("real data", "b@1", ["mit"])], "research")
    assert len(terms.conditions) == 1 and "a@1" in terms.conditions[0] and "b@1" in terms.conditions[0]


def test_inputs_are_the_origins_of_the_training_rows_and_the_base(make_run: Make) -> None:
    terms = read_terms(make_run(), "research")
    assert [item.role for item in terms.inputs] == ["base weights", "real data", "teacher's answers"]
    assert [item.terms for item in terms.inputs] == [("apache-2.0",), ("bsd-3-clause",), ("apache-2.0",)]


def test_a_teacher_asked_in_training_and_the_pairs_that_are_learnt_from_count_too(make_run: Make) -> None:
    inputs = make_run()
    pair = row("Why?", "Because.", terms=("llama3.1",)).model_copy(update={"kind": "preference"})
    write_rows(inputs["mix"] / "preference.jsonl", [pair])
    assert read_terms(inputs, "research").verdict == "ok", "nobody learnt from them"
    path = inputs["train"] / "student.json"
    student = json.loads(path.read_text())
    path.write_text(json.dumps({**student, "objective": "on_policy", "taught_by": {"t@1": ["gemma"]}}))
    terms = read_terms(inputs, "research")
    assert ("teacher's distributions", "t@1", ("gemma",), "review") in [
        (item.role, item.origin, item.terms, item.verdict) for item in terms.inputs
    ]
    path.write_text(json.dumps({**student, "objective": "preference"}))
    assert any("llama3.1" in item.terms for item in read_terms(inputs, "research").inputs)
