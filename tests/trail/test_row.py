"""The life of a row: through the filters, through a filter that changed it, through the run that it was taken from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distill.cli import main
from distill.rows import read_rows
from tests.conftest import Run


def traced(run: Run, name: str, *of: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["trace", name, *of, "--json", *run.options]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def first_of(folder: Path, holds: str = "") -> str:
    return next(row.id for row in read_rows(folder) if holds in row.question)


def test_a_row_leads_back_to_what_people_wrote(two_runs: Run, capsys: pytest.CaptureFixture[str]) -> None:
    name = first_of(two_runs.runs / "second" / "3-mix" / "train.jsonl", "number")
    found = traced(two_runs, "second", name, capsys=capsys)
    assert [place["step"] for place in found["places"]] == ["second/1-generate", "second/2-filter", "second/3-mix"]
    assert [one["verdict"] for one in found["judged"]] == ["passed"] * 3
    assert {term["id"]: term["outputs"] for term in found["terms"]} == {"mit": "yes", "cc-by-4.0": "yes"}
    (taken,) = found["parents"]
    assert taken["row"]["provenance"]["depth"] == 1 and taken["places"][0]["step"] == "first/1-generate"
    (asked,) = taken["parents"]
    assert asked["row"]["provenance"]["source"] == "real" and "asked.jsonl" in asked["row"]["provenance"]["origin"]
    assert asked["places"][0] == {
        "step": "first/0-split",
        "file": "train/asked.jsonl",
        "line": asked["places"][0]["line"],
        **dict.fromkeys(("reason", "evidence", "as_id")),
    }


def test_a_dropped_row_says_by_which_filter(two_runs: Run, capsys: pytest.CaptureFixture[str]) -> None:
    name = first_of(two_runs.runs / "first" / "1-generate" / "rows.jsonl", "Why?")
    found = traced(two_runs, "first", name, capsys=capsys)
    assert found["places"][-1]["reason"] == "length.too_long"
    assert [(one["filter"], one["verdict"]) for one in found["judged"]] == [
        ("privacy", "passed"),
        ("finished", "passed"),
        ("length", "dropped: too_long"),
    ]
    assert found["learnt"] == []


def test_a_row_that_a_filter_changed_is_found_under_both_ids(two_runs: Run, capsys: pytest.CaptureFixture[str]) -> None:
    made = first_of(two_runs.runs / "first" / "1-generate" / "rows.jsonl", "gmail")
    kept = first_of(two_runs.runs / "first" / "2-filter" / "kept.jsonl", "[EMAIL")
    assert made != kept
    places = {place["step"]: place["as_id"] for place in traced(two_runs, "first", kept, capsys=capsys)["places"]}
    assert places["first/1-generate"] == made and places["first/2-filter"] is None
    places = {place["step"]: place["as_id"] for place in traced(two_runs, "first", made, capsys=capsys)["places"]}
    assert places["first/2-filter"] == kept and places["first/1-generate"] is None


def test_for_the_eye(two_runs: Run, capsys: pytest.CaptureFixture[str]) -> None:
    name = first_of(two_runs.runs / "second" / "3-mix" / "train.jsonl", "number")
    assert main(["trace", "second", name, *two_runs.options]) == 0
    shown = capsys.readouterr().out
    for part in (
        "teacher   ./teacher@sha256:",
        "MIT License: outputs may train",
        "first/0-split/train/asked.jsonl:",
        "passed",
    ):
        assert part in shown, part


def test_an_unknown_row_and_no_row_are_errors(two_runs: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "second", "0123456789abcdef", *two_runs.options]) == 2
    assert "no row '0123456789abcdef'" in capsys.readouterr().err
    assert main(["trace", "second", *two_runs.options]) == 2
    assert "one of ROW, --source and --root" in capsys.readouterr().err


def test_what_a_run_took_is_found_by_its_key_where_its_run_is_gone(
    two_runs: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    name = first_of(two_runs.runs / "second" / "3-mix" / "train.jsonl", "number")
    elsewhere = Run(two_runs.recipe, two_runs.runs.parent / "alone", two_runs.cache)
    elsewhere.runs.mkdir()
    (elsewhere.runs / "second").symlink_to(two_runs.runs / "second")
    found = traced(elsewhere, "second", name, capsys=capsys)
    assert found["parents"][0]["row"]
