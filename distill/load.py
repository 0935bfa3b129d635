"""a recipe file -> the Recipe in it, or every problem at once: of its YAML, of its fields, and of what does not go together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from distill.consistency import inconsistencies
from distill.errors import RecipeError
from distill.problems import describe
from distill.recipe import Recipe
from distill.recipe_file import KeyPath, dotted, read, walk


def load_recipe(path: Path, overrides: Sequence[str] = (), of_file: bool = False) -> Recipe:
    """Read and check a recipe.

    Args:
        overrides: `a.b=c` or `a.b+=c`, as given with `--set`.
        of_file: its filters are for rows that are there already, and may bring scores of their own.

    Raises:
        RecipeError: every problem at once, each with file, line and key path.
    """
    document = read(path, overrides, _unsaid)
    try:
        recipe = Recipe.model_validate(document.value)
    except ValidationError as error:
        raise _recipe_error(path, describe(error, Recipe, document)) from error
    found = (*_circular(recipe), *inconsistencies(recipe, of_file))
    lines = [f"{document.place(where)}  {dotted(where)}: {text}" for where, text in found]
    if lines:
        raise _recipe_error(path, lines)
    return recipe


def _unsaid(path: KeyPath) -> Any:
    """What a section of a recipe is where nothing is said of it, as a file would say it; None where it must be given."""
    section = Recipe.model_fields.get(str(path[0]))
    value = None if section is None or section.is_required() else section.get_default(call_default_factory=True)
    for part in path[1:]:
        value = getattr(value, str(part), None)
    return [entry.model_dump(mode="json") for entry in value] if isinstance(value, tuple) else value


def _circular(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """Rows that this very run makes of them: each run would make them anew of those of the run before."""
    own = f"run:{recipe.name}/"
    for path, value in walk(recipe.model_dump(mode="json", include={"mix", "real"})):
        if isinstance(value, str) and value.startswith(own):
            yield (
                path,
                f"{value} is of this run itself, which would never be done; name another run, or give this one another name",
            )


def _recipe_error(path: Path, lines: list[str]) -> RecipeError:
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return RecipeError("\n  ".join([count, *lines]), where=str(path))
