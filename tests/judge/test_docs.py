"""What the page on the judge shows is what a recipe takes, and every option stands in its table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from distill.judge.settings import Judge, Labels
from distill.load import load_recipe
from distill.pipeline import plan

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "judge.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_examples_are_judges_of_a_recipe(block: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"extends: {ROOT / 'recipes' / 'quickstart.yaml'}\n{block}", encoding="utf-8")
    assert any(node.name == "judge" for node in plan(load_recipe(path)))


def test_there_is_an_example_and_every_option_is_named() -> None:
    assert BLOCKS
    table = [line for line in PAGE.splitlines() if line.startswith("| `")]
    named = {name for line in table for name in re.findall(r"`(\w+)`", line)}
    assert {*Judge.model_fields, *Labels.model_fields} <= named
    for name, field in Judge.model_fields.items():
        if isinstance(field.default, int):
            assert any(line.startswith(f"| `{name}` | {field.default} |") for line in table), name
