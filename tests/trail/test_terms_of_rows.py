"""Rows that another run wrote bring the terms that they are stamped with into the verdict."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from distill.cli import main
from tests.conftest import Run


def copied(two_runs: Run, folder: Path) -> Run:
    """The runs with a cache of their own: a run folder holds links."""
    shutil.copytree(two_runs.cache, folder / "cache")
    shutil.copytree(two_runs.runs, folder / "runs", symlinks=True)
    return Run(two_runs.recipe, folder / "runs", folder / "cache")


def test_the_second_run_knows_what_the_first_was_made_from(two_runs: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["terms", two_runs.recipe, "--use", "commercial", "--json", *two_runs.options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "ok"
    assert ["mit", "cc-by-4.0"] in [one["terms"] for one in found["inputs"]]
    assert not any("no licence is declared" in why for one in found["inputs"] for why in one["why"])


def test_a_run_that_is_not_done_is_judged_by_what_there_is(
    two_runs: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copied(two_runs, tmp_path)
    told = []
    for gone in (None, "3-mix", "0-split"):
        if gone:
            (run.runs / "first" / gone).unlink()
        assert main(["terms", "first", "--json", *run.options]) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert [one["verdict"] for one in told] == ["ok"] * 3
    names = [{(one["role"], one["origin"].partition("@")[0]) for one in each["inputs"]} for each in told]
    assert names[0] == names[1] == names[2] == {("teacher's answers", "./teacher"), ("real data", "asked.jsonl")}


def test_a_run_whose_data_are_gone_is_judged_by_its_rows(
    two_runs: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copied(two_runs, tmp_path)
    for path in run.runs.glob("*/run.json"):
        path.write_text(json.dumps({"base": str(tmp_path / "elsewhere")}))
    assert main(["terms", "first", "--json", *run.options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "ok" and len(found["inputs"]) == 2
