"""What stands on a source, and what to do about it: the recipe, changed as it is said, no longer has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.cli import main
from distill.rows import read_rows
from tests.conftest import Run
from tests.trail.conftest import FIRST


def withdrawn(run: Run, *of: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["withdraw", *of, "--json", *run.options]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_data_set_and_the_run_that_took_its_rows(two_runs: Run, capsys: pytest.CaptureFixture[str]) -> None:
    found = withdrawn(two_runs, "first", "asked", capsys=capsys)
    assert found["change"] == [
        "remove real.asked",
        "remove generate.methods.0 (answer), which reads it, or let it read other data",
    ]
    assert found["anew"] == ["0-split", "1-generate", "2-filter", "3-guard", "3-mix"] and not found["roots"]
    assert found["heirs"] == [{"run": "second", "references": ["run:first/filter"]}]
    assert all(Path(path).is_dir() for path in found["remove"])


def test_a_teacher_leaves_the_split_as_it_is(two_runs: Run, capsys: pytest.CaptureFixture[str]) -> None:
    found = withdrawn(two_runs, "first", "./teacher", capsys=capsys)
    assert found["change"] == ["name another model under teacher"]
    assert found["anew"] == ["1-generate", "2-filter", "3-guard", "3-mix"]


def test_a_document_is_left_out_by_its_root_and_nothing_of_it_comes_back(
    two_runs: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = two_runs.runs.parent
    row = next(row for row in read_rows(folder / "runs" / "first" / "3-mix" / "train.jsonl") if row.provenance.depth)
    listed = tmp_path / "without.txt"
    for _ in range(2):
        found = withdrawn(two_runs, "first", "--root", row.question, "--exclude", str(listed), capsys=capsys)
    assert found["roots"] == [row.provenance.root]
    assert listed.read_text().count(row.provenance.root) == 1, "written once"
    recipe = {**FIRST, "split": {**FIRST["split"], "without": str(listed)}}
    recipe["generate"] = {**FIRST["generate"], "rows": 9}
    (tmp_path / "asked.jsonl").write_text((folder / "asked.jsonl").read_text())
    (tmp_path / "teacher").symlink_to(folder / "teacher")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    anew = Run(str(tmp_path / "recipe.yaml"), tmp_path / "runs", two_runs.cache)
    assert main(["run", anew.recipe, *anew.options]) == 0
    assert main(["trace", "first", "--root", row.question, *anew.options]) == 2
    split = json.loads((anew.runs / "first" / "0-split" / "manifest.json").read_text())["summary"]
    assert split["by_data"]["asked"]["reasons"] == {"withdrawn": 1} and split["counts"]["skipped"] == 1


def test_for_the_eye_and_what_cannot_be_left_out(
    two_runs: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["withdraw", "first", "asked", *two_runs.options]) == 0
    shown = capsys.readouterr().out
    for part in ("run second takes run:first/filter", "1. in the recipe of first: remove real.asked", "cannot unlearn"):
        assert part in shown, part
    assert main(["withdraw", "first", "./teacher", "--exclude", str(tmp_path / "x"), *two_runs.options]) == 2
    assert "no prompt or document to leave out" in capsys.readouterr().err
    assert main(["withdraw", "first", *two_runs.options]) == 2
    assert "one of SOURCE and --root" in capsys.readouterr().err
