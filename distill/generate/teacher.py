"""A teacher as a recipe names it -> its engine, and what its rows tell of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from distill.cards import UNKNOWN
from distill.context import Context
from distill.engines.open import AnyEngine, open_engine, open_scorer
from distill.engines.transformers import Transformers
from distill.generate.author import Author
from distill.protocols import Engine, Sampling, Scorer
from distill.rows import Frozen

MAIN = "teacher"
"""Name of the recipe's `teacher`: the one that the student is measured against."""


class Teacher(Frozen):
    model: str
    """Reference: hub id, folder, GGUF file, `package:` or `run:NAME/train`; of a served one `org/name[@COMMIT]`."""
    engine: AnyEngine = Transformers()
    adapter: str | None = None
    """Reference to a LoRA adapter that the model wears: a folder or hub id with adapter_config.json."""
    terms: tuple[str, ...] = ()
    """Licence ids, where the model does not carry its own or it must be corrected."""

    @property
    def weights(self) -> tuple[str, ...]:
        """References to what writes: the model, and the adapter that it wears."""
        return (self.model, self.adapter) if self.adapter else (self.model,)

    @property
    def references(self) -> tuple[str, ...]:
        """Every reference in it."""
        tokenizer = getattr(self.engine, "tokenizer", None)
        return (*self.weights, tokenizer) if tokenizer else self.weights

    @property
    def served(self) -> bool:
        """Its weights are behind a server."""
        return self.engine.kind == "server"


@dataclass
class Staff:
    """The models of a recipe at work, by name; each is opened when it is asked for the first time."""

    teachers: Mapping[str, Teacher]
    context: Context
    sampling: Sampling
    seed: int
    _engines: dict[str, Engine] = field(default_factory=dict, repr=False)
    _scorers: dict[str, Scorer] = field(default_factory=dict, repr=False)

    def engine(self, name: str) -> Engine:
        if name not in self._engines:
            teacher = self.teachers[name]
            self._engines[name] = open_engine(
                teacher.engine, teacher.model, self.context, adapter=self._adapter(teacher), teacher=name
            )
        return self._engines[name]

    def scorer(self, name: str) -> Scorer:
        """The same model for token probabilities.

        Raises:
            EngineError: its engine gives none.
        """
        if name not in self._scorers:
            teacher = self.teachers[name]
            self._scorers[name] = open_scorer(
                teacher.engine, teacher.model, self.context, adapter=self._adapter(teacher)
            )
        return self._scorers[name]

    def _adapter(self, teacher: Teacher) -> Path | None:
        return self.context.resolved[teacher.adapter].path if teacher.adapter else None

    @cached_property
    def cast(self) -> dict[str, Author]:
        """Every model as rows tell of it."""
        return {name: self._author(name) for name in self.teachers}

    def _author(self, name: str) -> Author:
        """One that was itself distilled brings depth and terms along."""
        teacher = self.teachers[name]
        parts = [self.context.resolved[ref] for ref in teacher.weights]
        resolved = parts[0]
        # An adapter's licence comes on top of the model's; what it does not say is not known.
        found = tuple(dict.fromkeys(term for part in parts for term in part.terms or (UNKNOWN,)))
        terms, depth = teacher.terms or (found if teacher.adapter else resolved.terms), 0
        student = resolved.path / "student.json"
        if student.is_file():
            made = json.loads(student.read_text(encoding="utf-8"))
            terms, depth = terms or tuple(made["terms"]), made["depth"]
        kind = {"engine": teacher.engine.kind, "dtype": getattr(teacher.engine, "dtype", None)}
        template = self.engine(name).template
        origin = "+".join(part.origin for part in parts)
        return Author(origin, terms, depth, self.sampling, self.seed, template, kind, name)

    def author(self, name: str | None, sampling: Sampling, notes: Mapping[str, str]) -> Author:
        """The author of a method: a teacher in the method's own sampling."""
        return replace(self.cast[name or MAIN], sampling=sampling, notes=dict(notes))

    def close(self) -> None:
        """Free the models."""
        for engine in self._engines.values():
            engine.close()
        for scorer in self._scorers.values():
            scorer.close()


@contextmanager
def staff(teachers: Mapping[str, Teacher], sampling: Sampling, seed: int, context: Context) -> Iterator[Staff]:
    """The models of a recipe, freed at the end."""
    at_work = Staff(teachers, context, sampling, seed)
    try:
        yield at_work
    finally:
        at_work.close()
