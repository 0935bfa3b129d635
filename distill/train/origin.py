"""what a checkpoint was trained with, kept beside it -> whether another training may go on from it.

A changed recipe has another key, hence another folder. What gets here was moved by hand, or is of another distill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.errors import TrainError
from distill.recipe_file import dotted, walk
from distill.rows import digest
from distill.train.data import TrainingData
from distill.train.settings import Spec

AFTERWARDS = ("train.checkpoint", "train.patience", "train.checkpoint_every")
"""What changes nothing in a step."""


def origin(spec: Spec, rows: TrainingData, steps: Sequence[Sequence[int]], template: str) -> dict[str, Any]:
    """Everything that decides what a step does, by name."""
    fields = {dotted(path): value for path, value in walk(spec.model_dump(mode="json"))}
    return {
        "template": template,
        "data": digest([rows.ids, rows.lengths]),
        "steps": len(steps),
        "order": digest([list(step) for step in steps]),
        **{name: value for name, value in fields.items() if name not in AFTERWARDS},
    }


def refuse_another(before: Mapping[str, Any], now: Mapping[str, Any], where: Path) -> None:
    """Raises:
    TrainError: a checkpoint was trained with something else; names each field.
    """
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if names:
        said = "; ".join(f"{name} was {before.get(name)!r} and is {now.get(name)!r}" for name in names)
        raise TrainError(
            f"it belongs to another training: {said}",
            where=str(where),
            hint="remove the folder and train again, or put back what was changed",
        )
