"""What stands on a source, and what to do about it: the recipe, changed as it is said, no longer has it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.cli import main
from distill.rows import read_rows, write_rows
from distill.trail.source import is_of
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
    assert found["anew"] == ["0-split", "1-generate", "2-filter", "3-guard", "3-mix", "3-panel"] and not found["roots"]
    assert found["heirs"] == [{"run": "second", "references": ["run:first/filter"]}]
    assert all(Path(path).is_dir() for path in found["remove"])


def test_a_teacher_leaves_the_split_as_it_is(two_runs: Run, capsys: pytest.CaptureFixture[str]) -> None:
    found = withdrawn(two_runs, "first", "./teacher", capsys=capsys)
    assert found["change"] == ["name another model under teacher"]
    assert found["anew"] == ["1-generate", "2-filter", "3-guard", "3-mix", "3-panel"]


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


def taken(two_runs: Run, tmp_path: Path, *refs: str) -> Run:
    """The two runs, with others beside them that take something by its place."""
    runs = tmp_path / "runs"
    runs.mkdir()
    for path in two_runs.runs.iterdir():
        (runs / path.name).symlink_to(path.resolve())
    for number, ref in enumerate(refs):
        (runs / f"heir{number}").mkdir()
        recipe = {"real": {"taken": {"data": ref}}, "of": "a version that nobody can read"}
        (runs / f"heir{number}" / "recipe.resolved.yaml").write_text(yaml.safe_dump(recipe))
        (runs / f"heir{number}" / "run.json").write_text(json.dumps({"base": str(tmp_path)}))
    return Run(two_runs.recipe, runs, two_runs.cache)


def test_runs_that_took_rows_by_their_place_are_heirs_too(
    two_runs: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = (two_runs.runs / "first" / "2-filter").resolve()
    run = taken(
        two_runs,
        tmp_path,
        f"rows:{folder}",
        "rows:runs/first/2-filter/kept.jsonl",
        "rows:elsewhere",
        "run:heir1/filter",
    )
    found = withdrawn(run, "first", "asked", capsys=capsys)
    assert {one["run"]: one["references"] for one in found["heirs"]} == {
        "second": ["run:first/filter"],
        "heir0": [f"rows:{folder}"],
        "heir1": ["rows:runs/first/2-filter/kept.jsonl"],
        "heir3": ["run:heir1/filter"],
    }
    assert main(["withdraw", "first", "asked", *run.options]) == 0
    assert f"run heir0 again after it, with what was made anew in place of rows:{folder}" in capsys.readouterr().out


def test_a_run_that_took_what_does_not_stand_on_it_is_no_heir(
    two_runs: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = taken(two_runs, tmp_path, "run:first/split", "run:first/filter")
    found = withdrawn(run, "first", "./teacher", capsys=capsys)
    assert [one["run"] for one in found["heirs"]] == ["heir1", "second"], "no teacher wrote the split"


def test_a_teacher_is_named_as_the_recipe_names_it(two_runs: Run, capsys: pytest.CaptureFixture[str]) -> None:
    found = withdrawn(two_runs, "first", "teacher", capsys=capsys)
    assert found["change"] == ["name another model under teacher"]
    assert found["anew"] == ["1-generate", "2-filter", "3-guard", "3-mix", "3-panel"] and found["found"]["made"]


def test_a_model_with_an_adapter_is_either_or_both() -> None:
    origin = "org/t@abc+org/a@def"
    for named in ("org/t", "org/a", "org/t+org/a", "org/t@abc+org/a", origin):
        assert is_of(origin, named), named
    for other in ("org/t+org/b", "org", "org/t@x", "org/t@x+org/a"):
        assert not is_of(origin, other), other
    assert is_of("./a+b.jsonl@1", "./a+b.jsonl")


def test_what_a_model_asked_of_its_own_accord_is_found_and_no_field_leaves_it_out(
    two_runs: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what was withdrawn, and descends from something else."""
    rows = list(read_rows(two_runs.runs / "first" / "2-filter" / "kept.jsonl"))
    said, root = rows[0], rows[1].provenance.root
    stray = said.model_copy(update={"provenance": said.provenance.model_copy(update={"root": root, "parents": ()})})
    shutil.copytree(two_runs.cache, tmp_path / "cache")
    shutil.copytree(two_runs.runs, tmp_path / "runs", symlinks=True)
    run = Run(two_runs.recipe, tmp_path / "runs", tmp_path / "cache")
    shutil.rmtree(run.cache / "trail", ignore_errors=True)
    path = run.runs / "first" / "1-generate" / "rows.jsonl"
    write_rows(path, [stray])
    found = withdrawn(run, "first", "--root", said.question, capsys=capsys)
    assert {one["file"] for one in found["found"]["made"] if one["step"] == "first/1-generate" and one["rows"]} == {
        "rows.jsonl"
    }
    assert "let a filter drop it" in found["change"][-1] and "1-generate" in found["anew"]


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


def test_rows_of_an_earlier_generation_are_followed_and_replaced(
    two_runs: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = two_runs.runs.parent
    recipe = {**FIRST, "name": "third", "mix": {"real_fraction": 0.25, "earlier": ["run:first/mix"]}}
    other = [f'{{"q": "Where is {name}?", "a": "There."}}' for name in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    (folder / "other.jsonl").write_text("\n".join(other) + "\n")
    recipe["real"] = {"asked": {**FIRST["real"]["asked"], "data": "other.jsonl"}}
    (folder / "third.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["run", str(folder / "third.yaml"), *two_runs.options]) == 0
    row = next(row for row in read_rows(two_runs.runs / "first" / "3-mix" / "train.jsonl") if row.provenance.depth)
    capsys.readouterr()
    found = withdrawn(two_runs, "third", "--root", row.question, capsys=capsys)
    assert found["change"] == ["take rows that were made without it in place of run:first/mix under mix.earlier"]
    assert found["anew"] == ["3-guard", "3-mix", "3-panel"] and len(found["remove"]) == 3 and not found["roots"]
    assert main(["terms", "third", "--json", *two_runs.options]) == 0
    assert {one["role"] for one in json.loads(capsys.readouterr().out)["inputs"]} == {"teacher's answers", "real data"}
    shutil.rmtree(two_runs.runs / "third")
