"""What the page knows of single items: all of them where they fit, each text once, nothing of what was asked otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from distill.compare.runs import items
from tests.compare.runs.conftest import Lines, Runs


def read(runs: Runs, *named: str) -> items.Items:
    comparison, found = runs.compare(*named)
    return items.read(found, comparison)


def texts(data: dict[str, Any], places: list[int]) -> list[str | None]:
    return [None if place == items.NONE else data["texts"][place] for place in places]


def test_every_item_with_its_scores_and_answers_in_the_order_of_the_arms(runs: Runs) -> None:
    runs.make("a")
    runs.make("b", {"student": 1.8})
    found = read(runs, "a", "b")
    data = found.data
    assert (found.shown, found.total, found.cut, len(data["items"])) == (120, 120, 0, 120)
    assert [arm["label"] for arm in data["arms"]] == ["teacher", "base", "a", "b"]
    assert data["suites"] == ["heldout_teacher", "heldout_real", "sums"]
    assert data["metrics"][-1] == {
        "suite": 2, "name": "accuracy", "direction": "higher", "unit": "share", "right": True
    }  # fmt: skip
    item = next(one for one in data["items"] if one["id"] == "s000003")
    question, reference = texts(data, [item["question"], item["reference"]])
    assert question and question.startswith("What is ") and len(item["answers"]) == 4
    for answer, read_as, value in zip(
        texts(data, item["answers"]), texts(data, item["found"]), item["values"][0], strict=True
    ):
        assert answer == f"It is {read_as}." and value == float(read_as == reference)
    scored = next(one for one in data["items"] if one["id"].endswith("000039"))
    assert texts(data, scored["answers"]) == [None] * 4 and None not in scored["values"][0]


def test_a_text_is_held_once_however_often_it_is_said(runs: Runs) -> None:
    runs.make("a")
    data = read(runs, "a").data
    assert len(data["texts"]) == len(set(data["texts"]))


def test_what_an_arm_was_asked_otherwise_is_not_shown(runs: Runs) -> None:
    def other(lines: Lines) -> None:
        lines[0].update(answer="to another question", asked="another")

    runs.make("a")
    runs.items(runs.make("b"), "student", other)
    data = read(runs, "a", "b").data
    assert len(data["items"]) == 119 and "to another question" not in data["texts"]


def test_an_error_and_further_answers_are_told(runs: Runs) -> None:
    def change(lines: Lines) -> None:
        lines[80].update(error="the program never ended", answer=None, metrics={})
        lines[81].update(answers=["two", "three"], why="the second test failed")

    runs.make("a")
    runs.items(runs.make("b"), "student", change)
    data = read(runs, "a", "b").data
    failed, sampled = (next(one for one in data["items"] if one["id"] == name) for name in ("s000000", "s000001"))
    assert texts(data, failed["errors"])[3] == "the program never ended" and failed["values"][0][3] is None
    assert sampled["more"] == [0, 0, 0, 2] and texts(data, sampled["whys"])[3] == "the second test failed"


def test_of_too_many_items_those_that_differ_most_are_taken(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.make("a")
    runs.make("b", {"student": 1.8})
    monkeypatch.setattr(items, "MOST", 30)
    found = read(runs, "a", "b")
    assert (found.shown, found.total) == (30, 120)
    sums = [one for one in found.data["items"] if one["suite"] == 2]
    assert len(sums) == 10 and [one["id"] for one in sums] == sorted(one["id"] for one in sums)
    whole = runs.compare("a", "b")[1]
    a, b = (entry.arm.items for entry in whole.chosen)
    apart = sum(a[key].metrics["accuracy"] != b[key].metrics["accuracy"] for key in whole.shared("sums"))
    assert 0 < apart < 10 and sum(one["values"][0][2] != one["values"][0][3] for one in sums) == apart


def test_texts_that_are_too_long_for_a_page_are_cut_and_counted(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.make("a")
    runs.items(runs.root / "a", "student", lambda lines: lines[80].update(answer="x" * 90_000))
    whole = read(runs, "a")
    assert whole.cut == 0 and max(map(len, whole.data["texts"])) == 90_000
    monkeypatch.setattr(items, "ROOM", 50_000)
    cut = read(runs, "a")
    assert cut.cut == 1 and sum(map(len, cut.data["texts"])) < 50_100
    assert max(cut.data["texts"], key=len).endswith(" more characters)")
