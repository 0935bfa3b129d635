"""docs/suites.md: its recipes are read, and every kind, field, metric and instruction is on the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from distill.recipe import Recipe
from distill.suites.choices import Choices
from distill.suites.instructions.checks import CHECKS
from distill.suites.instructions.suite import Instructions
from distill.suites.kinds import AnySuite
from distill.suites.metrics import METRICS
from distill.suites.numbers import WORKED, Numbers
from distill.suites.suite import Suite
from distill.suites.text import Text
from tests.test_pipeline import BASE

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "suites.md").read_text(encoding="utf-8")
RECIPES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
KINDS: list[type[Suite]] = [Text, Numbers, Choices, Instructions]


@pytest.mark.parametrize("text", RECIPES, ids=lambda text: text.split("primary: ")[1].split("\n")[0])
def test_a_recipe_on_the_page_is_one(text: str) -> None:
    evaluate = yaml.safe_load(text)["evaluate"]
    labels = [one if isinstance(one, str) else one.get("name", one["kind"]) for one in evaluate["suites"]]
    recipe = Recipe.model_validate({**BASE, "evaluate": evaluate})
    assert [suite.label for suite in recipe.evaluate.suites] == labels


def test_every_kind_there_is_stands_in_the_table_and_leads_to_a_page_or_a_section() -> None:
    kinds = get_args(get_args(AnySuite)[0])
    assert len(kinds) > 5
    table = PAGE[PAGE.index("| kind |") : PAGE.index("## Your own data")]
    for kind in kinds:
        name = kind.model_fields["kind"].default
        if name.startswith("heldout"):
            assert f"`{name}`" in table
            continue
        (target,) = re.findall(rf"\[`{name}`\]\(([^)]+)\)", table.partition("\n\n")[0])
        assert f"\n## {target[1:]}\n" in PAGE if target.startswith("#") else (DOCS / target).is_file(), name


def test_what_the_page_says_is_in_the_example_is() -> None:
    example = yaml.safe_load((DOCS.parent / "recipes" / "suites" / "own_data.yaml").read_text(encoding="utf-8"))
    suites = example["evaluate"]["suites"]
    kinds = {one if isinstance(one, str) else one["kind"] for one in suites}
    (said,) = re.findall(r"own_data\.yaml\) has held-out rows, (.+?) in one recipe", PAGE)
    assert set(re.findall(r"`(\w+)`", said)) == {kind for kind in kinds if not kind.startswith("heldout")}


def test_every_kind_has_a_recipe_and_all_its_fields() -> None:
    shown = {
        one["kind"] for text in RECIPES for one in yaml.safe_load(text)["evaluate"]["suites"] if isinstance(one, dict)
    }
    for kind in KINDS:
        name = kind.model_fields["kind"].default
        assert name in shown and f"\n## {name}\n" in PAGE
        absent = [field for field in kind.model_fields if field != "kind" and f"`{field}`" not in PAGE]
        assert absent == [], name
        assert all(f"`{metric}`" in PAGE for metric in kind.METRICS), name


def test_defaults_on_the_page_are_those_of_the_specs() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| (\S+?) \|", PAGE, re.MULTILINE))
    for field in ("shots", "temperature", "samples", "max_new_tokens"):
        assert float(told[field]) == Text.model_fields[field].default, field
    assert f"`numbers` {Numbers.model_fields['max_new_tokens'].default}" in PAGE
    assert f"`instructions` {Instructions.model_fields['max_new_tokens'].default}" in PAGE
    assert told["first"] == str(Choices.model_fields["first"].default)
    assert told["answer"] == f"`{Choices.model_fields['answer'].default}`"
    assert WORKED.removeprefix("{{ question }}\n\n") in PAGE


def test_every_instruction_is_on_the_page() -> None:
    assert set(re.findall(r"`([a-z_]+:[a-z_]+)`", PAGE)) == CHECKS.keys()


def test_every_metric_of_a_suite_says_what_it_is() -> None:
    for kind in KINDS:
        assert set(kind.METRICS) <= METRICS.keys()
    assert [name for name, metric in METRICS.items() if metric.chosen] == ["accuracy"]
    right = {name for name, metric in METRICS.items() if metric.right}
    assert right == {
        "exact_match", "normalised_match", "contained", "correct", "accuracy", "accuracy_norm", "followed", "followed_loose",
    }  # fmt: skip
