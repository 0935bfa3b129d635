"""a recipe -> what of it bears on the remedies of the guard: what it does already nobody need tell it to do."""

from __future__ import annotations

from collections.abc import Iterator

from distill.collapse.remedies import MODEL, SAME, SURE, Now
from distill.filter.duplicates.near import NearDuplicate
from distill.recipe import Recipe
from distill.train.sft import Sft


def of_rows(recipe: Recipe) -> Now:
    """Without what only the training has: rows are not judged anew for another learning rate."""
    return Now(
        real_fraction=recipe.mix.real_fraction,
        max_synthetic=recipe.guard.max_synthetic,
        earlier=bool(recipe.mix.earlier),
        temperature=recipe.generate.sampling.temperature,
        filters=tuple(_filters(recipe)),
        model=recipe.student.model if recipe.student else MODEL,
    )


def of_all(recipe: Recipe) -> Now:
    """With its last training, whose student is judged."""
    last, several = recipe.trainings[-1], isinstance(recipe.train, tuple)
    return of_rows(recipe).model_copy(
        update={
            "train": f"train.{len(recipe.trainings) - 1}" if several else "train",
            "learning_rate": last.learning_rate,
            "best": last.checkpoint == "best",
            "patience": last.patience is not None,
            "surest": not isinstance(last, Sft) or last.surest <= SURE,
        }
    )


def _filters(recipe: Recipe) -> Iterator[str]:
    """After a filter that chooses among accepted rows none can be added."""
    for part in recipe.filter:
        if part.CHOOSES:
            yield from ("near_duplicate", "surprising", "perplexity")
        elif not isinstance(part, NearDuplicate) or part.threshold <= SAME:
            yield part.kind
