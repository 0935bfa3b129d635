"""a recipe + a place in the grid -> the recipe of that cell: an ordinary run, whose teacher is the student of the cell before.

    people-seed1                      generation 0: people's rows alone
    replace-seed1-gen1                its teacher is the student of people-seed1
    accumulate-real10-seed1-gen3      a tenth of its rows are people's at least; the teacher is the student of …-gen2

All cells hold out the same prompts, so that they are measured on the same items; every student starts from the recipe's base.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distill.errors import RecipeError
from distill.laboratory.keeping import PEOPLE, Keep, distinct, portions
from distill.recipe import Recipe
from distill.suites.heldout import PEOPLES
from distill.train.settings import Training, seed_of


@dataclass(frozen=True)
class Place:
    """Of a cell in the grid."""

    keep: Keep
    real_fraction: float
    seed: int
    """Its number; the first is the recipe's own."""
    generation: int

    @property
    def name(self) -> str:
        """Of its run."""
        if self.generation == PEOPLE:
            return f"people-seed{self.seed}"
        share = f"-real{100 * self.real_fraction:g}" if self.real_fraction else ""
        return f"{self.keep}{share}-seed{self.seed}-gen{self.generation}"

    def at(self, generation: int) -> Place:
        return replace(self, generation=generation)


@dataclass(frozen=True)
class Grid:
    """What is tried."""

    generations: int
    keeps: tuple[Keep, ...]
    real_fractions: tuple[float, ...]
    seeds: int

    def chains(self, rows: int) -> list[list[Place]]:
        """Cells that follow each other, generation 0 first; seed by seed, so that parts of the list cost alike."""
        arms = distinct(self.keeps, self.real_fractions, self.generations, rows)
        return [
            [Place(keep, fraction, seed, generation) for generation in range(self.generations + 1)]
            for seed in range(1, self.seeds + 1)
            for keep, fraction in arms
        ]


def loss_suite(recipe: Recipe) -> str:
    """Label of the suite that gives the loss on real held-out text.

    Raises:
        RecipeError: the recipe has none, or no student, or makes no rows to learn from.
    """
    found = [suite.label for suite in recipe.evaluate.suites if suite.kind in PEOPLES]
    if recipe.student is None or not found:
        raise RecipeError(
            "a laboratory follows the loss of students on real held-out text, and this recipe has "
            + ("no student" if recipe.student is None else "no suite that measures it"),
            hint="student: {model: …}" if recipe.student is None else f"evaluate.suites: [{' or '.join(PEOPLES)}]",
        )
    return found[0]


def cell(recipe: Recipe, place: Place) -> Recipe:
    """The recipe of a cell."""
    parts = portions(place.keep, place.generation, recipe.generate.rows, place.real_fraction)
    before = place.at(place.generation - 1).name
    earlier = [
        {"rows_of": _rows(place.at(one)), "rows": count} for one, count in parts.items() if one < place.generation
    ]
    changes: dict[str, Any] = {"mix": _mixed(recipe, parts.get(PEOPLE, 0), sum(parts.values()), earlier)}
    if place.generation > PEOPLE:
        engine = recipe.teacher.engine.model_dump(mode="json")
        changes["teacher"] = {"model": f"run:{before}/{recipe.train_names[-1]}", "engine": engine}
    return _changed(recipe, place.name, place.seed, changes)


def shared(recipe: Recipe, share: float, seed: int) -> Recipe:
    """The recipe of a point of a mixing sweep: as many rows as every other, a share of them the teacher's."""
    rows = recipe.generate.rows
    changes = {"mix": _mixed(recipe, rows - round(share * rows), rows, [])}
    return _changed(recipe, f"synthetic{100 * share:g}-seed{seed}", seed, changes)


def _rows(place: Place) -> str:
    return f"run:{place.name}/{'mix' if place.generation == PEOPLE else 'filter'}"


def _mixed(recipe: Recipe, real: int, rows: int, earlier: Sequence[dict[str, Any]]) -> dict[str, Any]:
    mix = recipe.mix.model_dump(mode="json")
    return {**mix, "real_fraction": real / rows, "rows": rows, "earlier": list(earlier)}


LAST_ALONE = 1_000_000
"""Steps between checkpoints, so that there is but the one at the end: with all weights trained each is as large as the model."""


def _trained(recipe: Recipe) -> Any:
    """Its trainings with a checkpoint at the end alone, but where the recipe names a number or the best is chosen of several."""

    def one(training: Training) -> dict[str, Any]:
        chosen = recipe.mix.validation_rows > 0 and (training.checkpoint == "best" or training.patience is not None)
        named = training.checkpoint_every is not None
        return {
            **training.model_dump(mode="json"), **({} if chosen or named else {"checkpoint_every": LAST_ALONE}),
        }  # fmt: skip

    return [one(training) for training in recipe.train] if isinstance(recipe.train, tuple) else one(recipe.train)


def _changed(recipe: Recipe, name: str, seed: int, changes: dict[str, Any]) -> Recipe:
    value = recipe.model_dump(mode="json")
    suite = loss_suite(recipe)
    suites = [one for one in value["evaluate"]["suites"] if (one["name"] or one["kind"]) == suite]
    value |= {
        **changes,
        "name": name,
        "seed": seed_of(recipe.seed, seed),
        "benchmark": None,
        "train": _trained(recipe),
        "guard": {**value["guard"], "stop": False},  # collapse is what is to be seen
        "split": {**value["split"], "seed": recipe.seed if recipe.split.seed is None else recipe.split.seed},
        # Each student is measured by itself: whether it lost against its teacher is for the curves to say.
        "evaluate": {
            **{name: value["evaluate"][name] for name in ("generation", "dtype")},
            "suites": suites, "primary": f"{suite}.loss", "against_teacher": False,
        },
    }  # fmt: skip
    return Recipe.model_validate(value)


def points(shares: Sequence[float], seeds: int) -> Iterator[tuple[float, int]]:
    """Shares and seeds of a sweep, seed by seed."""
    for seed in range(1, seeds + 1):
        for share in shares:
            yield share, seed
