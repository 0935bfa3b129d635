"""A model as a recipe names it -> opened by that name: to answer, or to say how likely an answer is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from distill.cards import UNKNOWN
from distill.context import Context, Resolved
from distill.endpoint import Price
from distill.engines.open import AnyEngine, open_engine, open_scorer
from distill.engines.transformers import Transformers
from distill.protocols import Engine, Scorer
from distill.rows import Frozen

MAIN = "teacher"
"""Name of the recipe's `teacher`: the one that the student is measured against."""


class Teacher(Frozen):
    model: str
    """Reference: hub id, folder, GGUF file, `package:` or `run:NAME/train`; of a served one `org/name[@COMMIT]`."""
    engine: AnyEngine = Transformers()
    adapter: str | None = None
    """Reference to a LoRA adapter that the model wears: a folder or hub id with adapter_config.json, or `run:NAME/train`."""
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


@dataclass(frozen=True)
class Descent:
    """What is inherited from a teacher by whatever is made with it."""

    origin: str
    """`<model>@<revision>`, and `+<adapter>@<revision>` where it wears one."""
    terms: tuple[str, ...]
    depth: int
    """0 for a model of others; a student's own depth."""


def descent(teacher: Teacher, resolved: Mapping[str, Resolved]) -> Descent:
    """Of a teacher. One that was itself distilled brings depth and terms along."""
    parts = [resolved[ref] for ref in teacher.weights]
    # What the recipe states is among what was resolved, with what is known of hosts and bases; an adapter's licence comes on
    # top of the model's, and what it does not say is not known where the recipe states nothing.
    whole, *worn = ((part.terms, part) for part in parts)
    own = whole[0] or teacher.terms
    extra = [term for terms, _ in worn for term in terms or (() if teacher.terms else (UNKNOWN,))]
    terms, depth = tuple(dict.fromkeys([*(own or ((UNKNOWN,) if worn else ())), *extra])), 0
    for part in parts:
        student = part.path / "student.json"
        if student.is_file():
            made = json.loads(student.read_text(encoding="utf-8"))
            terms, depth = terms or tuple(made["terms"]), max(depth, made["depth"])
    return Descent("+".join(part.origin for part in parts), terms, depth)


@dataclass
class Models:
    """The models of a recipe at work, by name; each is opened when it is asked for the first time."""

    teachers: Mapping[str, Teacher]
    context: Context
    _engines: dict[str, Engine] = field(default_factory=dict, repr=False, kw_only=True)
    _scorers: dict[str, Scorer] = field(default_factory=dict, repr=False, kw_only=True)

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

    @property
    def prices(self) -> dict[str, Price | None]:
        """Of each teacher behind a server, None where no price is known; the others are in this process."""
        runtime = self.context.runtime
        return {name: runtime.price(name) for name, teacher in self.teachers.items() if teacher.served}

    def _adapter(self, teacher: Teacher) -> Path | None:
        from distill.engines.models import adapter_folder

        return adapter_folder(self.context.resolved[teacher.adapter]) if teacher.adapter else None

    def close(self) -> None:
        """Free the models."""
        for engine in self._engines.values():
            engine.close()
        for scorer in self._scorers.values():
            scorer.close()
