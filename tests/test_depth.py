"""Generations of models between people's text and a row: counted, and not more than a recipe allows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill import intent
from distill.context import Context, Resolved
from distill.errors import DistillError, SourceError
from distill.load import load_recipe
from distill.rows import Message, Provenance, Row, root_of, write_rows
from distill.sources.real import Real
from distill.split import Spec, Split, run
from distill.workspace import Workspace


def row(number: int, depth: int) -> Row:
    said = (Message(role="user", content=f"Question {number}?"), Message(role="assistant", content="So."))
    made = Provenance(source="teacher", origin="org/t@1", method="answer", root=root_of(said), depth=depth)
    return Row(kind="chat", messages=said, provenance=made)


def split(folder: Path, rows: list[Row], most: int | None) -> dict[str, Any]:
    write_rows(folder / "rows.jsonl", rows)
    ref = f"rows:{folder}"
    spec = Spec(real={"taken": Real(data=ref)}, split=Split(held_out_prompts=0, max_depth=most), seed=1)
    context = Context(folder / "cache", {ref: Resolved(ref, folder / "rows.jsonl", "1")})
    out = folder / "out"
    out.mkdir(exist_ok=True)
    return run(spec, {}, out, context)


def test_rows_that_are_too_deep_to_be_built_on_are_skipped_and_counted(tmp_path: Path) -> None:
    rows = [row(number, depth) for number, depth in enumerate((0, 1, 1, 2, 3))]
    found = split(tmp_path, rows, 2)
    assert found["by_data"]["taken"]["reasons"] == {"too_deep": 2} and found["counts"]["train"] == 3
    assert any("2 too_deep (first: row " in note for note in found["notes"])
    assert split(tmp_path, rows, None)["counts"]["skipped"] == 0


def test_where_all_are_too_deep_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no row in 2 records: 2 too_deep"):
        split(tmp_path, [row(1, 3), row(2, 4)], 2)


def test_a_teacher_that_is_too_deep_a_student_is_refused_before_it_is_asked(tmp_path: Path) -> None:
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / "student.json").write_text(json.dumps({"terms": ["mit"], "depth": 2}))
    (tmp_path / "chat.jsonl").write_text('{"q": "Why?"}\n')
    recipe = {
        "name": "deep",
        "teacher": {"model": "./teacher"},
        "real": {"chat": {"data": "chat.jsonl", "prompt": "q", "terms": ["mit"]}},
        "generate": {"rows": 1, "methods": [{"kind": "answer", "prompts": "chat"}]},
        "mix": {"real_fraction": 0},
    }

    def check(most: int) -> list[str]:
        recipe["split"] = {"held_out_prompts": 0, "max_depth": most}
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        space = Workspace(load_recipe(tmp_path / "recipe.yaml"), tmp_path, tmp_path / "runs", tmp_path / "cache")
        return intent.check(space)

    with pytest.raises(DistillError, match=r"2 generations of models from people's text.*depth 3, above 2"):
        check(2)
    assert check(3) == []


def test_a_file_of_withdrawn_roots_with_a_typo_is_an_error(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [row(1, 0)])
    listed, ref = tmp_path / "without.txt", f"rows:{tmp_path}"
    listed.write_text("# of 2026\n0123456789abcdef  # a letter\nnot a root\n")
    spec = Spec(real={"taken": Real(data=ref)}, split=Split(held_out_prompts=0, without="w"), seed=1)
    known = {ref: Resolved(ref, tmp_path / "rows.jsonl", "1"), "w": Resolved("w", listed, "1")}
    with pytest.raises(SourceError, match="'not a root' is no root") as stopped:
        run(spec, {}, tmp_path / "out", Context(tmp_path / "cache", known))
    assert "without.txt:3" in str(stopped.value)
