"""The table of cases: what a careful reader of the texts would say, and that every entry has one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.terms.applying import applying
from distill.terms.input import Input
from distill.terms.registry import shipped
from distill.terms.verdict import judge

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text(encoding="utf-8"))


def inputs(case: dict[str, Any]) -> list[Input]:
    teacher, data = case["teacher"], case["data"]

    def declared(part: dict[str, Any]) -> tuple[str, ...]:
        return (part["declared"],) if "declared" in part else ()

    return [
        Input("base weights", case["base"]),
        Input(
            "teacher's answers",
            teacher["model"],
            declared(teacher),
            teacher.get("host"),
            tuple(filter(None, [teacher.get("made_from")])),
        ),
        Input("real data", data.get("name", "a-data-set"), declared(data)),
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_the_verdict_is_a_careful_readers(case: dict[str, Any]) -> None:
    found = judge(inputs(case), case["use"], shipped(), case.get("name", "student"))
    assert {form: verdict.level for form, verdict in found.items()} == case["verdict"], [
        (finding.level, finding.why) for one in found["merged"].inputs for finding in one.findings
    ]


def test_there_are_cases_enough() -> None:
    assert len(CASES) >= 60


def test_every_entry_has_a_case() -> None:
    met = {entry.id for case in CASES for one in inputs(case) for entry in applying(one, shipped())[0]}
    assert set(shipped().entries) <= met, set(shipped().entries) - met
