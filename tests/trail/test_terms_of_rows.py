"""Rows that another run wrote bring the terms that they are stamped with into the verdict."""

from __future__ import annotations

import json

import pytest

from distill.cli import main
from tests.conftest import Run


def test_the_second_run_knows_what_the_first_was_made_from(two_runs: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["terms", two_runs.recipe, "--use", "commercial", "--json", *two_runs.options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "ok"
    assert ["mit", "cc-by-4.0"] in [one["terms"] for one in found["inputs"]]
    assert not any("no licence is declared" in why for one in found["inputs"] for why in one["why"])
