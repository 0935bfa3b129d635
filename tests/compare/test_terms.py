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
from distill.terms.registry import Registry, shipped
from distill.terms.settings import Terms as Told
from tests.compare.conftest import TEACHER_AT, row

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


def test_what_is_held_out_or_measured_with_is_of_the_rows_alone(make_run: Make) -> None:
    inputs = make_run()
    item = row("Which?", "That.", terms=("apache-2.0", "cc-by-nc-4.0")).model_copy(update={"kind": "benchmark"})
    write_rows(inputs["mix"] / "benchmark.jsonl", [item])
    held = row("Held?", "Yes.", source="real", terms=("cc-by-nd-4.0",))
    held = held.model_copy(update={"provenance": held.provenance.model_copy(update={"origin": "held@1"})})
    write_rows(inputs["mix"] / "heldout.jsonl", [held])
    terms = read_terms(inputs, "redistribute")
    assert terms.verdict == "ok" and terms.forms == {"adapter": "ok", "merged": "ok", "rows": "blocked"}
    assert [(item.origin, item.verdict) for item in terms.inputs if not item.learnt] == [
        ("held@1", "blocked"),
        (TEACHER_AT, "ok"),
    ]
    assert read_terms(inputs, "commercial").forms == {"adapter": "ok", "merged": "ok", "rows": "blocked"}


def test_what_a_students_base_was_made_from_counts_by_its_name(make_run: Make) -> None:
    inputs = make_run()
    path = inputs["train"] / "student.json"
    made_from = [{"role": "base weights", "origin": "CohereLabs/aya-8b@1", "terms": []}]
    path.write_text(json.dumps({**json.loads(path.read_text()), "made_from": made_from}))
    assert read_terms(inputs, "commercial").verdict == "blocked"


def test_what_cards_and_servers_say_is_in_the_report(make_run: Make) -> None:
    told = [Input("teacher's answers", TEACHER_AT, ("apache-2.0",), card=("cc-by-nc-4.0",))]
    terms = read_terms(make_run(), "research", named=told)
    assert terms.verdict == "review" and len(terms.inputs) == 3
    assert any("its own card or package declares" in why for item in terms.inputs for why in item.why)


def test_entries_are_told_with_their_age(make_run: Make) -> None:
    old = Registry(
        {**shipped().entries, "apache-2.0": shipped().entries["apache-2.0"].model_copy(update={"checked": None})}
    )
    terms = read_terms(make_run(), "research", registry=old)
    told = {entry.id: entry for entry in terms.entries}
    assert told["apache-2.0"].old and told["apache-2.0"].dated == "2004-01-01" and not told["bsd-3-clause"].old
    assert terms.old == ("apache-2.0",)
