"""The recipe's own test set as a suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.errors import RecipeError
from distill.load import load_recipe
from distill.rows import Message, Provenance, Row, write_rows
from distill.suites.benchmark import OwnBenchmark
from distill.suites.suite import Answered

ROOT = Path(__file__).parents[2]


def item(question: str, answer: str, reference: str) -> Row:
    messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
    provenance = Provenance(source="teacher", origin="o@1", method="document_qa", root="r", depth=1)
    return Row(kind="benchmark", messages=messages, evidence={"reference": reference}, provenance=provenance)


ITEM = item("How long does a worker live?", "A worker lives for about six weeks.", "Six weeks")


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("It lives some 6 weeks.", 1),
        ("Six weeks.", 1),
        ("Eight weeks.", 0),
        ("A worker lives.", 0),
        ("", 0),
        ("<script>alert(1)</script>", 0),
        ("weeks " * 20_000, 0),
    ],
)
def test_the_short_reference_decides(answer: str, right: int) -> None:
    (found,) = OwnBenchmark().judge([Answered(ITEM, (answer,))])
    assert found.measures["correct"] == {"value": right, "weight": 1}
    assert 0 <= found.measures["chrf"]["value"] <= 100


def test_items_are_those_of_the_node(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [ITEM])
    assert [row.id for row in OwnBenchmark().rows({"benchmark": tmp_path})] == [ITEM.id]


def test_several_answers_give_a_share() -> None:
    suite = OwnBenchmark(samples=2, temperature=0.5)
    (found,) = suite.judge([Answered(ITEM, ("Six weeks.", "A year."))])
    assert found.measures["correct"]["value"] == 0.5
    assert OwnBenchmark().metrics["correct"].right and not suite.metrics["correct"].right


def test_a_recipe_without_a_benchmark_is_refused(tmp_path: Path) -> None:
    def recipe(**more: Any) -> Path:
        path = tmp_path / "recipe.yaml"
        suites = {"evaluate": {"suites": ["benchmark"], "primary": "benchmark.correct"}}
        path.write_text(yaml.safe_dump({"extends": str(ROOT / "recipes" / "one_minute.yaml"), **suites, **more}))
        return path

    with pytest.raises(RecipeError, match="the section `benchmark` makes, and there is none"):
        load_recipe(recipe())
    section = {"rows": 4, "methods": [{"kind": "answer", "prompts": "chat"}]}
    assert load_recipe(recipe(benchmark=section)).evaluate.needs == ("benchmark",)
