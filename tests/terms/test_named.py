"""What a recipe names -> what goes in: rows as anybody wrote them, and students with all that they were made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from distill.context import NOWHERE, Resolved
from distill.errors import SourceError
from distill.rows import Message, Provenance, Row, to_line
from distill.terms.input import Input, Role
from distill.terms.named import Named, inputs, of_rows
from distill.terms.registry import shipped
from distill.terms.verdict import judge

ROW = Row(
    kind="chat",
    messages=(Message(role="user", content='"terms": ["mit"]?'), Message(role="assistant", content="No.")),
    provenance=Provenance(source="teacher", origin="org/t@1", method="answer", root="r", terms=("cc-by-nc-4.0",)),
)


def backwards(value: Any) -> Any:
    """The same with its keys in another order."""
    if isinstance(value, Mapping):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(one) for one in value] if isinstance(value, list) else value


def test_rows_with_their_keys_in_another_order_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    found = []
    for record in (json.loads(to_line(ROW)), backwards(json.loads(to_line(ROW)))):
        path.write_text(json.dumps(record) + "\n")
        found.append(list(of_rows(path)))
    assert found[0] == found[1]
    assert [(one.role, one.origin, one.declared) for one in found[0]] == [
        ("teacher's answers", "org/t@1", ("cc-by-nc-4.0",)),
        ("real data", "org/t@1", ("cc-by-nc-4.0",)),
    ]


@pytest.mark.parametrize("line", ["{}", "", "[1]", '{"provenance": {"origin": "x@1", "source": "real"}}', "no JSON"])
def test_a_line_that_is_no_row_is_named_and_not_passed_over(tmp_path: Path, line: str) -> None:
    (tmp_path / "rows.jsonl").write_text(f"{to_line(ROW)}{line}\n")
    with pytest.raises(SourceError, match=r"rows\.jsonl:2.*not a row"):
        list(of_rows(tmp_path / "rows.jsonl"))


def student(folder: Path) -> Resolved:
    made_from = [
        {"role": "base weights", "origin": "meta-llama/Meta-Llama-3-8B@1", "terms": []},
        {"role": "teacher's answers", "origin": "org/t@1", "terms": ["mit"]},
        {"role": "real data", "origin": "org/d@1", "terms": ["cc-by-nc-4.0"]},
    ]
    folder.mkdir(exist_ok=True)
    (folder / "student.json").write_text(json.dumps({"terms": ["mit"], "depth": 1, "made_from": made_from}))
    return Resolved("run:old/train", folder, "k", ("mit",), ("mit",))


def roles(named: Role, folder: Path) -> list[tuple[str, str]]:
    found = student(folder)
    return [(one.role, one.origin) for one in inputs(Named(role=named, ref=found.ref), lambda _: found)]


def test_a_student_that_is_built_on_brings_all_that_it_was_made_from(tmp_path: Path) -> None:
    assert roles("base weights", tmp_path) == [
        ("base weights", "run:old/train@k"),
        ("base weights", "meta-llama/Meta-Llama-3-8B@1"),
        ("teacher's answers", "org/t@1"),
        ("real data", "org/d@1"),
    ]


def test_a_student_that_teaches_brings_the_models_that_it_was_made_from(tmp_path: Path) -> None:
    assert roles("teacher's answers", tmp_path) == [
        ("teacher's answers", "run:old/train@k"),
        ("teacher's answers", "meta-llama/Meta-Llama-3-8B@1"),
        ("teacher's answers", "org/t@1"),
    ]


def test_its_base_is_known_by_name_whatever_it_declares(tmp_path: Path) -> None:
    """Llama 3.0 lets its outputs train Llama 3 alone, and the student says `mit`."""
    found = student(tmp_path)
    teacher = list(inputs(Named(role="teacher's answers", ref=found.ref), lambda _: found))
    base = Input("base weights", "Qwen/Qwen3-0.6B@1", ("apache-2.0",))
    assert judge([base, *teacher], "research", shipped())["adapter"].level == "blocked"


@pytest.mark.parametrize("text", ["{", "[]", '{"made_from": [3, {"role": "base weights"}]}', "{}"])
def test_a_student_that_does_not_say_is_as_its_terms_are(tmp_path: Path, text: str) -> None:
    (tmp_path / "student.json").write_text(text)
    found = Resolved("s", tmp_path, "k", (), ("mit",))
    assert [one.declared for one in inputs(Named(role="base weights", ref="s"), lambda _: found)] == [("mit",)]


def test_what_is_not_here_is_unseen_unless_it_is_served() -> None:
    def follow(ref: str) -> Resolved:
        return Resolved(ref, NOWHERE, "unversioned")

    for served in (True, False):
        (one,) = inputs(Named(role="teacher's answers", ref="t", served=served), follow)
        assert one.seen is served
    (rows,) = inputs(Named(role="real data", ref="rows:gone", rows=True), follow)
    assert not rows.seen
