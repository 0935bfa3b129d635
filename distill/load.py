"""a recipe file -> the Recipe in it, or every problem at once: of its YAML, of its fields, and of what does not go together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from distill.consistency import inconsistencies
from distill.errors import RecipeError
from distill.problems import describe
from distill.recipe import Recipe
from distill.recipe_file import dotted, read


def load_recipe(path: Path, overrides: Sequence[str] = (), of_file: bool = False) -> Recipe:
    """Read and check a recipe.

    Args:
        overrides: `a.b=c`, as given with `--set`.
        of_file: its filters are for rows that are there already, and may bring scores of their own.

    Raises:
        RecipeError: every problem at once, each with file, line and key path.
    """
    document = read(path, overrides)
    try:
        recipe = Recipe.model_validate(document.value)
    except ValidationError as error:
        raise _recipe_error(path, describe(error, Recipe, document)) from error
    lines = [f"{document.place(where)}  {dotted(where)}: {text}" for where, text in inconsistencies(recipe, of_file)]
    if lines:
        raise _recipe_error(path, lines)
    return recipe


def _recipe_error(path: Path, lines: list[str]) -> RecipeError:
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return RecipeError("\n  ".join([count, *lines]), where=str(path))
