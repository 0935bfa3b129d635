"""docs/suites/: what the pages show is a recipe, and every field of these suites is on its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from distill.recipe import Recipe
from distill.suites.lm_eval import LmEval
from distill.suites.programs import CHAT, HumanEval, Programs
from distill.suites.suite import Suite
from tests.test_pipeline import BASE

DOCS = Path(__file__).parents[2] / "docs" / "suites"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
RECIPES = [
    pytest.param(text, id=f"{name}-{number}")
    for name, page in PAGES.items()
    for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
]


@pytest.mark.parametrize("text", RECIPES)
def test_a_recipe_on_a_page_is_one(text: str) -> None:
    assert Recipe.model_validate({**BASE, "evaluate": yaml.safe_load(text)["evaluate"]}).evaluate.suites


@pytest.mark.parametrize(("kind", "page"), [(Programs, "human_eval"), (HumanEval, "human_eval"), (LmEval, "harness")])
def test_every_field_is_on_the_page(kind: type[Suite], page: str) -> None:
    assert [field for field in kind.model_fields if field != "kind" and f"`{field}`" not in PAGES[page]] == []


def test_what_the_page_says_is_asked_is_asked() -> None:
    assert CHAT.partition("\n")[0] in PAGES["human_eval"]
    assert f"| `max_new_tokens` | {HumanEval().max_new_tokens} |" in PAGES["human_eval"]


def test_each_task_is_a_suite_of_its_own() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGES["harness"], re.DOTALL)
    recipe = Recipe.model_validate({**BASE, "evaluate": yaml.safe_load(text)["evaluate"]})
    assert [suite.label for suite in recipe.evaluate.suites] == ["heldout_teacher", "ifeval", "gsm8k", "trivia"]
