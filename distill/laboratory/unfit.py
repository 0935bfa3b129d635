"""a recipe + the recipes of its cells -> nothing, or an error before the first cell is made: what would fail after hours, or
would teach students of another teacher than those before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from distill.consistency import inconsistencies
from distill.engines.teacher import MAIN
from distill.errors import RecipeError
from distill.recipe import Recipe
from distill.recipe_file import dotted

PRIMARY = ("evaluate", "primary")


def check_cells(recipe: Recipe, cells: Iterable[Recipe]) -> None:
    """What `distill check` would say of the recipe of a cell, each thing once.

    Raises:
        RecipeError: a cell cannot be made; every problem, with the first cell that has it.
    """
    found: dict[str, str] = {}
    for one in cells:
        for where, text in inconsistencies(one):
            if (
                where == PRIMARY
            ):  # of students alone: the teacher, whose probabilities it would ask for, is not measured
                continue
            found.setdefault(f"{dotted(where)}: {text}", one.name)
    _refuse(recipe, [f"{name}  {text}" for text, name in found.items()])


def check_chain(recipe: Recipe, generations: int) -> None:
    """A recipe whose students are to teach each other, and nobody else.

    Raises:
        RecipeError: something of it would go on asking the recipe's own teacher, or another one.
    """
    _refuse(recipe, list(_strangers(recipe, generations)))


def _strangers(recipe: Recipe, generations: int) -> Iterator[str]:
    if recipe.teacher.model in recipe.served:
        yield (
            "teacher.engine: a server that is there already has its own model, and no student of a cell; write "
            "engine: {kind: transformers}, or let the run start the server (runtime.server.start)"
        )
    for where, method in recipe.methods:
        if where[0] == "generate" and method.teacher not in (None, MAIN):
            yield f"{dotted(where)}.teacher: {method.teacher} would write the rows of every generation; leave it out"
    for place, training in enumerate(recipe.trainings):
        if training.TEACHER or training.SCORED:
            where = ("train", place) if isinstance(recipe.train, tuple) else ("train",)
            yield (
                f"{dotted(where)}.objective: {training.objective} learns from the teacher's distributions, and people, whose rows "
                "generation 0 learns from, have none; write objective: sft"
            )
    if recipe.split.max_depth is not None and generations > recipe.split.max_depth:
        yield (
            f"split.max_depth: rows of generation {generations} are {generations} models away from people's text, and "
            f"{recipe.split.max_depth} is the most; ask for fewer --generations, or leave it out"
        )


def _refuse(recipe: Recipe, lines: list[str]) -> None:
    if lines:
        count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        raise RecipeError("\n  ".join([f"{count} for a laboratory", *lines]), where=recipe.name)
