"""Items of suites with data of their own, written before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distill.context import Context
from distill.errors import SourceError
from distill.rows import read_rows
from distill.suites import stage
from distill.suites.heldout import HeldOutReal, evaluated
from distill.suites.sourced import Sourced
from distill.suites.text import Text
from tests.suites.written import data, resolved

RECORDS = [{"q": f"Question {n}?", "a": str(n)} for n in range(4)]


def suite(folder: Path, records: list[dict[str, Any]], **more: Any) -> Text:
    source = {"data": data(folder, records), "prompt": "q", "answer": "a"}
    return Text.model_validate({"source": source, **more})


def run(folder: Path, *suites: Sourced) -> tuple[dict[str, Any], Path]:
    context = Context(folder / "cache", {ref: one for each in suites for ref, one in resolved(each).items()})
    out = folder / "suites"
    out.mkdir()
    return stage.run(stage.Spec.model_validate({"suites": suites}), {}, out, context), out


def test_every_suite_has_a_file_and_what_is_there_twice_is_asked_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    one, other = suite(tmp_path, [*RECORDS, RECORDS[0], {"q": "", "a": "x"}]), suite(tmp_path / "a", RECORDS, name="b")
    summary, out = run(tmp_path, one, other)
    assert summary["by_suite"] == {"text": 4, "b": 4}
    assert summary["counts"] == {"items": 8}
    skipped, twice = summary["notes"]
    assert skipped.startswith("text: 1 of 6 records of ") and "1 empty_prompt" in skipped
    assert twice == "text: 1 of 5 items are there twice and are asked once"
    rows = one.rows({"suites": out})
    assert [row.answer for row in rows] == ["0", "1", "2", "3"]
    assert [row.id for row in read_rows(out / "b.jsonl")] == [row.id for row in rows]


def test_the_order_of_the_data_is_that_of_the_items(tmp_path: Path) -> None:
    _, out = run(tmp_path, suite(tmp_path, RECORDS[::-1]))
    assert [row.answer for row in read_rows(out / "text.jsonl")] == ["3", "2", "1", "0"]


@pytest.mark.parametrize(("records", "found"), [(RECORDS[:1], "1 item"), ([RECORDS[0]] * 3, "1 item")])
def test_too_few_items_are_an_error(tmp_path: Path, records: list[dict[str, Any]], found: str) -> None:
    with pytest.raises(SourceError, match=f"evaluate.suites: text: {found} to evaluate on"):
        run(tmp_path, suite(tmp_path, records))


def test_an_empty_suite_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no record"):
        run(tmp_path, suite(tmp_path, []))
    with pytest.raises(SourceError, match="there are no items of other"):
        suite(tmp_path, RECORDS, name="other").rows({"suites": tmp_path / "suites"})


def test_shots_that_leave_no_item_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no item to evaluate on"):
        run(tmp_path, suite(tmp_path, RECORDS, shots=4))


def test_held_out_rows_are_not_read_here(tmp_path: Path) -> None:
    own = suite(tmp_path, RECORDS)
    assert stage.loaded((HeldOutReal(), own)) == (own,)


def test_items_are_among_what_is_evaluated_on(tmp_path: Path) -> None:
    _, out = run(tmp_path, suite(tmp_path, RECORDS))
    (tmp_path / "split" / "heldout").mkdir(parents=True)
    found = list(evaluated({"split": tmp_path / "split", "suites": out}))
    assert [row.question for row in found] == [record["q"] for record in RECORDS]
