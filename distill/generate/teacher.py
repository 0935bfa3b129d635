"""The teachers of a recipe at work -> what their rows tell of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

from distill.context import Context
from distill.engines.teacher import MAIN, Models, Teacher, descent
from distill.generate.author import Author
from distill.protocols import Sampling


@dataclass
class Staff(Models):
    """Models that write, in the sampling of the recipe."""

    sampling: Sampling
    seed: int

    @cached_property
    def cast(self) -> dict[str, Author]:
        """Every model as rows tell of it."""
        return {name: self._author(name) for name in self.teachers}

    def _author(self, name: str) -> Author:
        teacher = self.teachers[name]
        made = descent(teacher, self.context.resolved)
        # What is not the weights and yet decides what they say.
        own = {name: getattr(teacher.engine, name, None) for name in ("dtype", "quantization", "args")}
        kind = {"engine": teacher.engine.kind, **{name: value for name, value in own.items() if value}}
        template = self.engine(name).template
        return Author(made.origin, made.terms, made.depth, self.sampling, self.seed, template, kind, name)

    def author(self, name: str | None, sampling: Sampling, notes: Mapping[str, str]) -> Author:
        """The author of a method: a teacher in the method's own sampling."""
        return replace(self.cast[name or MAIN], sampling=sampling, notes=dict(notes))


@contextmanager
def staff(teachers: Mapping[str, Teacher], sampling: Sampling, seed: int, context: Context) -> Iterator[Staff]:
    """The models of a recipe, freed at the end."""
    at_work = Staff(teachers, context, sampling, seed)
    try:
        yield at_work
    finally:
        at_work.close()
