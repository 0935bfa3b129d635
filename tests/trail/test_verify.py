"""A run's files are as they were written, or are named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from distill.cli import main
from distill.export import seal
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
    assert found == [("3-mix", "of another key"), ("3-panel", "made from another")], "what was made from it is told too"
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


def test_figures_of_a_manifest_are_held_too(copied: Run) -> None:
    path = copied.runs / "second" / "3-mix" / "manifest.json"
    said = json.loads(path.read_text())
    said["summary"]["counts"]["train_rows"] = 1_000_000
    path.write_text(json.dumps(said))
    assert [(one.step, one.what, one.detail) for one in faults(copied)] == [("3-mix", "changed", "what it says")]
    said.pop("seal")
    path.write_text(json.dumps(said))
    assert faults(copied) == [], "a manifest of an earlier version has none"


def test_what_was_put_beside_is_named_whatever_it_is_called(copied: Run) -> None:
    mix = copied.runs / "second" / "3-mix"
    (mix / "export.json").write_text('{"files": {}}')
    (mix / ".cache").mkdir()
    (mix / ".cache" / "more.jsonl").write_text("")
    assert [(one.file, one.what) for one in faults(copied)] == [
        (".cache/more.jsonl", "added"),
        ("export.json", "added"),
    ]


def test_a_link_is_no_file(copied: Run, tmp_path: Path) -> None:
    mix = copied.runs / "second" / "3-mix"
    (tmp_path / "same.jsonl").write_bytes((mix / "train.jsonl").read_bytes())
    (mix / "train.jsonl").unlink()
    (mix / "train.jsonl").symlink_to(tmp_path / "same.jsonl")
    (mix / "dangling").symlink_to("nowhere")
    assert sorted((one.file, one.what) for one in faults(copied)) == [("dangling", "a link"), ("train.jsonl", "a link")]


def test_a_step_that_is_gone_from_the_middle_is_missed(copied: Run) -> None:
    (copied.runs / "second" / "2-filter").unlink()
    assert [(one.step, one.what, one.detail) for one in faults(copied)] == [
        ("filter", "missing", "3-panel was made from it")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"files": []}',
        '{"files": {"a": {"bytes": "1"}}}',
        '{"files": {"a": 3}}',
        '{"files": {}, "identity": {}}',
        '{"files": {}, "identity": {"upstream": []}, "node": "mix", "key": "k"}',
        '{"files": {"../x": {"bytes": 1, "sha256": ""}}, "identity": {"upstream": {}}, "node": "mix", "key": "k"}',
    ],
)
def test_a_manifest_that_is_none_is_named_and_no_traceback(copied: Run, text: str) -> None:
    (copied.runs / "second" / "3-mix" / "manifest.json").write_text(text)
    assert [(one.step, one.what) for one in faults(copied)] == [("3-mix", "unreadable")]


def test_an_export_that_was_fetched_is_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "export.json").write_text("{}")
    seal(tmp_path)
    (tmp_path / ".cache" / "huggingface").mkdir(parents=True)
    (tmp_path / ".cache" / "huggingface" / "of_the_client").write_text("")
    assert not verify(tmp_path).faults
    (tmp_path / ".cache" / "more").write_text("")
    said = json.loads((tmp_path / "export.json").read_text())
    (tmp_path / "export.json").write_text(json.dumps({**said, "depth": 0}))
    assert sorted((one.file, one.what) for one in verify(tmp_path).faults) == [
        (".cache/more", "added"),
        ("export.json", "changed"),
    ]


def test_what_is_no_run_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert "nothing there has been made" in capsys.readouterr().err
