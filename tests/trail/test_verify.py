"""A run's files are as they were written, or are named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from distill.cli import main
from distill.trail.verify import Fault, verify
from tests.conftest import Run


@pytest.fixture
def copied(two_runs: Run, tmp_path: Path) -> Run:
    """The runs with a cache of their own, to be damaged."""
    shutil.copytree(two_runs.cache, tmp_path / "cache")
    shutil.copytree(two_runs.runs, tmp_path / "runs", symlinks=True)
    return Run(two_runs.recipe, tmp_path / "runs", tmp_path / "cache")


def faults(run: Run) -> list[Fault]:
    return list(verify(run.runs / "second").faults)


def test_a_run_that_nobody_touched(copied: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "second", *copied.options]) == 0
    assert "are as they were written" in capsys.readouterr().out


def test_a_changed_a_missing_and_an_added_file_are_named(copied: Run, capsys: pytest.CaptureFixture[str]) -> None:
    filtered = copied.runs / "second" / "2-filter"
    text = (filtered / "kept.jsonl").read_text()
    (filtered / "kept.jsonl").write_text(text.replace("number", "nomber"))
    (filtered / "dropped.jsonl").unlink()
    (filtered / "more.jsonl").write_text("")
    train = copied.runs / "second" / "0-split" / "train" / "taken.jsonl"
    train.write_text(train.read_text() + "\n")
    assert sorted((one.file, one.what) for one in faults(copied)) == [
        ("dropped.jsonl", "missing"),
        ("kept.jsonl", "changed"),
        ("more.jsonl", "added"),
        ("train/taken.jsonl", "changed"),
    ]
    assert main(["verify", "second", *copied.options]) == 2
    said = capsys.readouterr().err
    assert "2-filter/kept.jsonl: changed (of the same size)" in said and "2-filter/more.jsonl: added" in said
    assert main(["verify", "second", "--json", *copied.options]) == 2
    assert len(json.loads(capsys.readouterr().out)["faults"]) == 4


def test_a_manifest_that_was_changed_or_is_gone_is_named(copied: Run) -> None:
    path = copied.runs / "second" / "3-mix" / "manifest.json"
    said = json.loads(path.read_text())
    said["identity"]["spec"]["seed"] = 99
    path.write_text(json.dumps(said))
    found = [(one.step, one.what) for one in faults(copied)]
    assert found == [("3-guard", "made from another"), ("3-mix", "of another key")], "what was made from it is told too"
    path.write_text("{")
    assert [(one.step, one.what) for one in faults(copied)] == [("3-mix", "unreadable")]
    path.unlink()
    assert [(one.step, one.what) for one in faults(copied)] == [("3-mix", "missing")]
    shutil.rmtree((copied.runs / "second" / "3-mix").resolve())
    assert [(one.step, one.what) for one in faults(copied)] == [("3-mix", "missing")]


def test_a_step_of_another_recipe_is_named(copied: Run) -> None:
    link = copied.runs / "second" / "2-filter"
    other = (copied.runs / "first" / "2-filter").resolve()
    link.unlink()
    link.symlink_to(other)
    found = {(one.step, one.what) for one in faults(copied)}
    assert ("3-mix", "made from another") in found and ("2-filter", "made from another") in found


def test_what_is_no_run_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert "nothing there has been made" in capsys.readouterr().err
