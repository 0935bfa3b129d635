"""From a source to all that was made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from distill.cli import main
from distill.rows import read_rows
from tests.conftest import Run


def made(run: Run, name: str, *of: str, capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    assert main(["trace", name, *of, "--json", *run.options]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return {f"{one['step']}/{one['file']}": one["rows"] for one in found["made"] if one["rows"]}


def test_all_rows_of_a_data_set_by_name_and_by_reference(two_runs: Run, capsys: pytest.CaptureFixture[str]) -> None:
    by_name = made(two_runs, "first", "--source", "asked", capsys=capsys)
    assert by_name == made(two_runs, "first", "--source", "asked.jsonl", capsys=capsys)
    assert by_name["first/0-split/train/asked.jsonl"] == 12 and by_name["first/0-split/heldout/asked.jsonl"] == 2
    assert by_name["first/1-generate/rows.jsonl"] == 12 and by_name["first/2-filter/kept.jsonl"] == 11
    assert by_name["first/3-mix/train.jsonl"] == 15, "redacted rows and rows of people are among them"


def test_a_document_is_followed_into_the_run_that_took_its_rows(
    two_runs: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    row = next(read_rows(two_runs.runs / "second" / "3-mix" / "train.jsonl"))
    for named in (row.provenance.root, row.question):
        found = made(two_runs, "second", "--root", named, capsys=capsys)
        assert found["first/0-split/train/asked.jsonl"] == 1 and found["second/3-mix/train.jsonl"] == 1, named
    across = made(two_runs, "second", "--source", "asked.jsonl", capsys=capsys)
    assert across["second/3-mix/train.jsonl"] == 3


def test_a_model_is_a_source_too(two_runs: Run, capsys: pytest.CaptureFixture[str]) -> None:
    found = made(two_runs, "first", "--source", "./teacher", capsys=capsys)
    assert found["first/2-filter/kept.jsonl"] == 11 and "first/0-split/train/asked.jsonl" not in found
    assert found["first/3-mix/train.jsonl"] == 11


def test_nothing_of_that_name_is_an_error_with_the_nearest(two_runs: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "first", "--source", "askd", *two_runs.options]) == 2
    assert "nearest there: asked" in capsys.readouterr().err
