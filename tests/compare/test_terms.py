"""What went into a student is read from the rows of its run; the verdict is the strictest of all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.compare.terms import read_terms
from distill.rows import write_rows
from distill.terms.input import Input
from distill.terms.outcome import Terms, described
from distill.terms.registry import shipped
from distill.terms.settings import Terms as Told
from tests.compare.conftest import row

Make = Callable[..., dict[str, Path]]


def of(*inputs: Input, use: str = "research") -> Terms:
    return described(inputs, use, "student", {}, shipped())  # type: ignore[arg-type]


def test_known_permissive_inputs_are_ok_with_their_conditions() -> None:
    terms = of(Input("base weights", "a@1", ("Apache-2.0",)), Input("real data", "b@1", ("cc-by-4.0",)))
    assert terms.verdict == "ok" and [item.verdict for item in terms.inputs] == ["ok", "ok"]
    assert any("attribution" in text and "cc-by-4.0" in text for text in terms.conditions)
    assert "No legal advice" in terms.disclaimer and terms.checked == "2026-11-22"


@pytest.mark.parametrize("doubtful", [(), ("gpl-3.0",), ("apache-2.0", "nobody-knows")])
def test_one_doubtful_input_decides(doubtful: tuple[str, ...]) -> None:
    terms = of(Input("base weights", "a@1", ("mit",)), Input("real data", "b@1", doubtful), use="commercial")
    assert terms.verdict == "review" and [item.verdict for item in terms.inputs] == ["ok", "review"]
    assert terms.inputs[1].why


def test_nothing_at_all_is_review() -> None:
    assert of().verdict == "review"


def test_a_condition_is_said_once_for_all_forms_it_is_of() -> None:
    terms = of(Input("base weights", "a@1", ("mit",)), Input("real data", "b@1", ("mit",)))
    assert terms.conditions == ("keep the copyright notice and the licence text (mit)",)


def test_inputs_are_the_origins_of_the_training_rows_and_the_base(make_run: Make) -> None:
    terms = read_terms(make_run(), "research")
    assert [item.role for item in terms.inputs] == ["base weights", "real data", "teacher's answers"]
    assert [item.terms for item in terms.inputs] == [("apache-2.0",), ("bsd-3-clause",), ("apache-2.0",)]


def test_data_that_the_teacher_was_only_asked_about_count_too(make_run: Make) -> None:
    inputs = make_run()
    seed = row("Why?", "Because.", source="real", terms=("cc-by-nc-4.0",))
    seed = seed.model_copy(update={"provenance": seed.provenance.model_copy(update={"origin": "seeds@1"})})
    (inputs["split"] / "train").mkdir(parents=True, exist_ok=True)
    write_rows(inputs["split"] / "train" / "seeds.jsonl", [seed])
    terms = read_terms(inputs, "commercial")
    assert terms.verdict == "blocked"
    assert [item.origin for item in terms.inputs if item.verdict == "blocked"] == ["seeds@1"]


def test_a_teacher_asked_in_training_and_the_pairs_that_are_learnt_from_count_too(make_run: Make) -> None:
    inputs = make_run()
    pair = row("Why?", "Because.", terms=("llama3.1",)).model_copy(update={"kind": "preference"})
    write_rows(inputs["mix"] / "preference.jsonl", [pair])
    assert read_terms(inputs, "redistribute", name="tutor").verdict == "ok", "nobody learnt from them"
    path = inputs["train"] / "student.json"
    student = json.loads(path.read_text())
    path.write_text(json.dumps({**student, "objective": "on_policy", "taught_by": {"t@1": ["llama2"]}}))
    terms = read_terms(inputs, "research")
    assert ("teacher's distributions", "t@1", ("llama2",), "blocked") in [
        (item.role, item.origin, item.terms, item.verdict) for item in terms.inputs
    ]
    path.write_text(json.dumps({**student, "objective": "preference"}))
    assert read_terms(inputs, "redistribute", name="tutor").verdict == "blocked"
    assert read_terms(inputs, "redistribute", name="tutor", told=Told(name="Llama-tutor")).verdict == "ok"
