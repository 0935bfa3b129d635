"""Answers held against one reference or several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distill.errors import SourceError
from distill.suites.text import Text
from tests.suites.written import answered, data, load

SEVERAL = [
    {"q": "Where is it?", "a": "in Paris", "others": ["Paris", "Paris, France"]},
    {"q": "Who was it?", "a": "Ann", "others": ["Ann Lee"]},
]


def suite(folder: Path, records: list[dict[str, Any]] | None = None, **source: Any) -> Text:
    return Text.model_validate({"source": {"data": data(folder, records or SEVERAL), "prompt": "q", **source}})


def values(suite: Text, answer: str) -> dict[str, float]:
    (judged,) = suite.judge(answered(load(suite)[0], answer))
    assert set(judged.measures) == set(suite.metrics)
    return {name: measure["value"] for name, measure in judged.measures.items()}


def test_an_answer_is_measured(tmp_path: Path) -> None:
    one = suite(tmp_path, answer="a")
    assert values(one, "in Paris") == pytest.approx(
        {"exact_match": 1, "normalised_match": 1, "contained": 1, "chrf": 100, "rouge_l": 100}
    )
    assert values(one, "In Paris!") == pytest.approx(
        {
            "exact_match": 0,
            "normalised_match": 1,
            "contained": 1,
            "chrf": values(one, "In Paris!")["chrf"],
            "rouge_l": 100,
        }
    )
    assert values(one, "") == dict.fromkeys(one.metrics, 0)


@pytest.mark.parametrize("source", [{"answer": "a"}, {}, {"answer": "{{ others[0] }}"}])
def test_of_several_references_the_best_counts(tmp_path: Path, source: dict[str, str]) -> None:
    one = suite(tmp_path, evidence={"references": "others"}, **source)
    for right in ("Paris", "Paris, France"):
        assert values(one, right) == pytest.approx(
            {"exact_match": 1, "normalised_match": 1, "contained": 1, "chrf": 100, "rouge_l": 100}
        )
    assert values(one, "in Paris")["exact_match"] == (source == {"answer": "a"})
    assert load(one)[0].answer == ("in Paris" if source == {"answer": "a"} else "Paris")


def test_a_reference_among_the_evidence_is_one(tmp_path: Path) -> None:
    one = suite(tmp_path, evidence={"reference": "a"})
    assert load(one)[1].answer == "Ann"


def test_an_answer_ends_before_what_ends_it(tmp_path: Path) -> None:
    one = suite(tmp_path, answer="a").model_copy(update={"until": ("\n", "Q:")})
    (judged,) = one.judge(answered(load(one)[0], "in Paris\nQ: And then?"))
    assert judged.measures["exact_match"]["value"] == 1
    assert judged.found == "in Paris"
    assert one.judge(answered(load(one)[0], "in Paris"))[0].found is None


def test_several_answers_are_a_mean(tmp_path: Path) -> None:
    one = suite(tmp_path, answer="a")
    (judged,) = one.judge(answered(load(one)[0], "in Paris", "in Rome", "in Paris", "no"))
    assert judged.measures["exact_match"]["value"] == 0.5


def test_an_item_without_a_reference_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"without a reference answer: 'Where is it\?'"):
        load(suite(tmp_path))
    with pytest.raises(SourceError, match="no list of texts"):
        load(suite(tmp_path, [{"q": "x", "others": {"a": 1}}], evidence={"references": "others"}))


@pytest.mark.parametrize(
    "answer", ["<script>alert(1)</script>", "\x00\u202e", "NaN", "{{ 7 * 7 }}", "𝕬" * 1000, "x" * 100_000]
)
def test_any_answer_has_a_number(tmp_path: Path, answer: str) -> None:
    found = values(suite(tmp_path, answer="a"), answer)
    assert all(0 <= value <= 100 for value in found.values())
