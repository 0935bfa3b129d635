"""Final numbers of worked answers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from distill.errors import SourceError
from distill.mathematics.final import final
from distill.suites.numbers import SHOWN, Numbers
from tests.suites.written import answered, data, load, said

RECORDS = [
    {"q": "Ann has 40 eggs and buys 2. How many?", "a": "40 + 2 = <<40+2=42>>42 eggs.\n#### 42"},
    {"q": "What is 2,300 + 17?", "a": "#### 2,317"},
    {"q": "What is half of 3?", "a": "\\boxed{\\frac{3}{2}}"},
]


def suite(folder: Path, records: list[dict[str, Any]] | None = None, **more: Any) -> Numbers:
    source = {"data": data(folder, records or RECORDS), "prompt": "q", "answer": "a"}
    return Numbers.model_validate({"source": source, **more})


def correct(suite: Numbers, place: int, answer: str) -> tuple[float, str | None]:
    (judged,) = suite.judge(answered(load(suite)[place], answer))
    assert judged.error is None
    return judged.measures["correct"]["value"], judged.found


@pytest.mark.parametrize(
    ("place", "answer", "right", "found"),
    [
        (0, "She has 42 eggs.", 1, "42"),
        (0, "40 + 2 = 42\n#### 42", 1, "42"),
        (0, "The answer is **$42.00**.", 1, "42.00"),
        (0, "#### 41", 0, "41"),
        (0, "I do not know.", 0, None),
        (0, "", 0, None),
        (1, "It is 2317.", 1, "2317"),
        (2, "1.5", 1, "1.5"),
        (2, "So it is 3/2.", 1, r"\frac{3}{2}"),
    ],
)
def test_the_final_number_counts(tmp_path: Path, place: int, answer: str, right: float, found: str | None) -> None:
    assert correct(suite(tmp_path), place, answer) == (right, found)


def test_what_cannot_be_compared_is_not_right(tmp_path: Path) -> None:
    value, found = correct(suite(tmp_path), 0, "#### 9**9**9**9")
    assert value == 0 and found is not None


def test_it_asks_for_the_work_and_examples_show_it(tmp_path: Path) -> None:
    (item, *_) = load(suite(tmp_path, shots=1))
    asked = [text for role, text in said(item) if role == "user"]
    assert len(asked) == 2 and all("step by step" in text and '"####"' in text for text in asked)
    assert load(suite(tmp_path, instruction="Question: {{ question }}\nAnswer:"))[0].question == (
        f"Question: {RECORDS[0]['q']}\nAnswer:"
    )
    assert load(suite(tmp_path, instruction="{{ question }}"))[0].question == RECORDS[0]["q"]


@pytest.mark.parametrize("answer", ["I do not know", "", None, "nan", float("nan"), float("inf")])
def test_a_reference_without_a_number_is_an_error(tmp_path: Path, answer: object) -> None:
    with pytest.raises(SourceError, match=r"reference comes to no final answer|no row in 1 records: 1 empty_answer"):
        load(suite(tmp_path, [{"q": "How many?", "a": answer}]))


@pytest.mark.parametrize(
    "answer",
    [
        "x " * 50_000,
        "the answer is maybe, " * 5000,
        "the answer is the answer is " * 3600,
        "\\boxed{" * 14_000,
        "1, " * 33_000,
    ],
)
def test_an_answer_of_a_hundred_thousand_characters_takes_no_time(tmp_path: Path, answer: str) -> None:
    start = time.process_time()
    right, found = correct(suite(tmp_path), 0, answer)
    assert right == 0 and len(found or "") <= SHOWN + 1
    assert time.process_time() - start < 5


def test_the_end_of_a_text_that_announces_an_answer_is_none() -> None:
    assert final("The answer is 42. And so the answer is") == "42"
