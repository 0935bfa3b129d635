"""Multiple choice by log-likelihood."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.errors import SourceError
from distill.evidence import QUESTION
from distill.rows import Message, root_of
from distill.suites.choices import Choices, softmax
from tests.suites.written import data, load, said

OPTIONS = ["Oslo", "Paris", "Rome"]
RECORD = {"q": "Capital of France?", "options": OPTIONS, "a": "Oslo", "b": "Paris", "c": "Rome", "right": "B"}


def suite(folder: Path, *records: dict[str, Any], **more: Any) -> Choices:
    source = {"data": data(folder, list(records) or [RECORD]), "prompt": "q"}
    return Choices.model_validate({"source": source, "options": "options", "right": "right", **more})


@pytest.mark.parametrize(
    ("right", "more"),
    [
        ("B", {}),
        ("b", {}),
        ("(B)", {}),
        ("B.", {}),
        (1, {}),
        ("1", {}),
        (2, {"first": 1}),
        ("Paris", {}),
        ("Paris", {"right_is": "text"}),
        ("1", {"right_is": "index"}),
    ],
)
def test_the_right_one_by_letter_place_or_text(tmp_path: Path, right: object, more: dict[str, Any]) -> None:
    (item,) = load(suite(tmp_path, {**RECORD, "right": right}, **more))
    assert said(item) == [("user", "Capital of France?"), ("assistant", "Paris")]
    assert suite(tmp_path).candidates(item) == tuple(OPTIONS)


@pytest.mark.parametrize("options", [("a", "b", "c"), "{{ [a, b, c] | tojson }}", "options"])
def test_options_of_a_list_of_columns_or_of_a_template(tmp_path: Path, options: str | tuple[str, ...]) -> None:
    one = suite(tmp_path, options=options)
    (item,) = load(one)
    assert one.candidates(item) == tuple(OPTIONS)
    assert set(item.evidence) == {"options", "right"}


def test_letters_are_shown_and_scored(tmp_path: Path) -> None:
    one = suite(tmp_path, answer="letter")
    (item,) = load(one)
    assert item.question.startswith("Capital of France?\n\nA. Oslo\nB. Paris\nC. Rome\n\nAnswer with the letter")
    assert item.answer == "B"
    assert one.candidates(item) == ("A", "B", "C")
    assert item.evidence[QUESTION] == "Capital of France?"
    assert item.provenance.root == root_of([Message(role="user", content="Capital of France?")])
    assert set(one.metrics) == {"accuracy", "brier"}
    judged = one.choose(item, [-1.0, -2.0, -3.0])
    assert (judged.found, set(judged.measures)) == ("A", {"accuracy", "brier"})


def test_examples_are_shown_in_the_same_form(tmp_path: Path) -> None:
    others = [{**RECORD, "q": f"Question {n}?"} for n in range(4)]
    item = load(suite(tmp_path, *others, answer="letter", shots=1))[0]
    roles = [role for role, _ in said(item)]
    assert roles == ["user", "assistant", "user", "assistant"]
    assert said(item)[1] == ("assistant", "B")
    assert "B. Paris" in said(item)[0][1] and "Answer with the letter" in said(item)[0][1]


def test_the_likeliest_is_chosen(tmp_path: Path) -> None:
    one = suite(tmp_path)
    (item,) = load(one)
    judged = one.choose(item, [math.log(0.1), math.log(0.3), math.log(0.1)])
    assert judged.found == "Paris"
    assert judged.confidence == pytest.approx(0.6)
    assert judged.measures["accuracy"] == {"value": 1, "weight": 1}
    # (0.2, 0.6, 0.2) against (0, 1, 0).
    assert judged.measures["brier"]["value"] == pytest.approx(0.04 + 0.16 + 0.04)
    wrong = one.choose(item, [-1.0, -2.0, -3.0])
    assert (wrong.found, wrong.measures["accuracy"]["value"]) == ("Oslo", 0)
    assert wrong.confidence == pytest.approx(math.exp(-1) / (math.exp(-1) + math.exp(-2) + math.exp(-3)))


def test_per_byte_a_long_option_is_not_worse_for_its_length(tmp_path: Path) -> None:
    record = {**RECORD, "options": ["no", "Saint-Étienne"], "right": 1}
    one = suite(tmp_path, record)
    (item,) = load(one)
    judged = one.choose(item, [-4.0, -8.0])
    assert (judged.measures["accuracy"]["value"], judged.measures["accuracy_norm"]["value"]) == (0, 1)
    # 14 bytes, though 13 letters: by letters it would be behind.
    assert one.choose(item, [-4.0, -27.0]).measures["accuracy_norm"]["value"] == 1


def test_options_of_one_text_are_right_alike(tmp_path: Path) -> None:
    one = suite(tmp_path, {**RECORD, "options": ["x", "y", "y"], "right": 2})
    (item,) = load(one)
    assert one.choose(item, [-3.0, -1.0, -1.0]).measures["accuracy"]["value"] == 1


@pytest.mark.parametrize("bad", [float("nan"), float("-inf"), float("inf")])
def test_no_number_is_an_error_and_no_choice(tmp_path: Path, bad: float) -> None:
    one = suite(tmp_path)
    judged = one.choose(load(one)[0], [-1.0, bad, -2.0])
    assert judged.measures == {} and judged.error is not None and judged.confidence is None


def test_very_unlikely_options_have_chances_too() -> None:
    assert softmax([-20_000.0, -20_001.0]) == pytest.approx(softmax([0.0, -1.0]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"right": "D"}, "the right one is 'D', none of its 3 options"),
        ({"right": 3}, "the right one is '3', none of its 3 options"),
        ({"right": -1}, "none of its 3 options"),
        ({"right": None}, "the right one is '', none of its 3 options"),
        ({"right": float("nan")}, "the right one is 'nan', none"),
        ({"options": ["0", "2", "1"], "right": "1"}, "fits as index '2' and as text '1'"),
        ({"options": ["C", "B", "A"], "right": "A"}, "fits as letter 'C' and as text 'A'"),
        ({"options": ["", "B"]}, "an option is empty"),
        ({"options": ["B"]}, "1 options cannot be chosen from"),
        ({"options": []}, "0 options cannot be chosen from"),
        ({"options": None}, "0 options cannot be chosen from"),
        ({"options": "Oslo, Paris"}, "gives no list of texts"),
        ({"options": [["Oslo"], ["Paris"]]}, "gives no list of texts"),
    ],
)
def test_an_item_that_cannot_be_chosen_from_is_told(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=message) as error:
        load(suite(tmp_path, {**RECORD, **changes}))
    assert "Capital of France?" in str(error.value)
    assert "evaluate.suites: choices" in str(error.value)


def test_which_reading_is_meant_can_be_said(tmp_path: Path) -> None:
    record = {**RECORD, "options": ["0", "2", "1"], "right": "1"}
    assert load(suite(tmp_path, record, right_is="index"))[0].answer == "2"
    assert load(suite(tmp_path, record, right_is="text"))[0].answer == "1"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source": {"data": "rows:x"}}, "holds rows"),
        ({"source": {"data": "x.jsonl", "prompt": "q", "answer": "a"}}, "`right` says which"),
        ({"options": ()}, "at least 1"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    whole = {"source": {"data": "x.jsonl", "prompt": "q"}, "options": "options", "right": "right"}
    with pytest.raises(ValidationError, match=message):
        Choices.model_validate({**whole, **fields})
