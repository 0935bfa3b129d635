"""What decides a training: the student, and how it learns. Read by the stage, the trainer and what describes the result."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from distill.engines.teacher import Teacher
from distill.rows import Frozen, digest
from distill.train.logits import Logits
from distill.train.on_policy import OnPolicy
from distill.train.preference import Preference
from distill.train.sft import Sft
from distill.train.student import Student


def _objective(value: Any) -> Any:
    """An objective is `sft` unless it says otherwise."""
    return value.get("objective", "sft") if isinstance(value, dict) else getattr(value, "objective", None)


Training = Annotated[
    Annotated[Sft, Tag("sft")]
    | Annotated[Logits, Tag("logits")]
    | Annotated[OnPolicy, Tag("on_policy")]
    | Annotated[Preference, Tag("preference")],
    Discriminator(_objective),
]
"""One objective."""

Train = Annotated[
    Annotated[Training, Tag("one")] | Annotated[tuple[Training, ...], Tag("several"), Field(min_length=1)],
    Discriminator(lambda value: "several" if isinstance(value, list | tuple) else "one"),
]
"""One, or one after the other, each going on with the student before it."""


class Spec(Frozen):
    student: Student
    train: Training
    seed: int
    after: str | None = None
    """Node whose student this training goes on with; the base model's otherwise."""
    teacher: Teacher | None = None
    """Of an objective that asks it while the student learns."""


class Matched(Spec):
    """A training on other rows, with the steps of another one and about as many learnt tokens in each."""

    like: str
    """Node with the tokens of the other training."""


def seed_of(seed: int, number: int) -> int:
    """Seed of one of several trainings of the same student: the recipe's own, then such as are drawn from it."""
    return seed if number == 1 else int(digest([seed, "training", number])[:7], 16)
