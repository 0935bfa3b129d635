"""names and references in a filter's spec -> models at work, rows of data files, and scores that were kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from distill.context import Context, Runtime
from distill.engines.classifier import Classifier, open_classifier
from distill.engines.embedding import open_embedder
from distill.engines.journal import Journal
from distill.engines.open import open_scorer
from distill.engines.spent import Meter
from distill.engines.teacher import Models, Teacher
from distill.engines.transformers import Transformers
from distill.protocols import Embedder, Engine, Scorer
from distill.rows import Row
from distill.sources.real import Real, read_real

if TYPE_CHECKING:
    from distill.context import Resolved

_NOWHERE = Context(Path("cache"), {}, Runtime())


@dataclass(frozen=True)
class Opener:
    """Opens what filters ask for, each thing once; nothing is loaded before it is asked for.

    With several ranks every rank opens and asks the same; what is opened here shares the work out itself.
    """

    context: Context = _NOWHERE
    teachers: Mapping[str, Teacher] = field(default_factory=dict)
    """Those that filters ask, by name."""
    _opened: dict[tuple[str, str], Classifier | Embedder | Scorer] = field(default_factory=dict, repr=False)

    @cached_property
    def _models(self) -> Models:
        return Models(self.teachers, self.context)

    @cached_property
    def meter(self) -> Meter:
        """What the models have cost that filters asked."""
        return Meter(self._models.prices)

    def engine(self, teacher: str) -> Engine:
        """What answers under that name; answers are stored and metered."""
        return self.meter.over(teacher, self._models.engine(teacher))

    def scorer(self, ref: str) -> Scorer:
        """A causal language model that scores answers, in float32 on every machine."""
        if ("scorer", ref) not in self._opened:
            self._opened["scorer", ref] = open_scorer(Transformers(dtype="float32"), ref, self.context)
        return self._opened["scorer", ref]  # type: ignore[return-value]

    def embedder(self, ref: str) -> Embedder:
        """A sentence-transformers model; vectors are stored."""
        if ("embedder", ref) not in self._opened:
            self._opened["embedder", ref] = open_embedder(self.resolved(ref), self.context)
        return self._opened["embedder", ref]  # type: ignore[return-value]

    def classifier(self, ref: str) -> Classifier:
        """A sequence classifier or reward model; what it says is stored."""
        if ("classifier", ref) not in self._opened:
            self._opened["classifier", ref] = open_classifier(self.resolved(ref), self.context)
        return self._opened["classifier", ref]  # type: ignore[return-value]

    def resolved(self, ref: str) -> Resolved:
        """Where a reference lies, and its revision."""
        return self.context.resolved[ref]

    def rows(self, name: str, real: Real) -> Iterable[Row]:
        """Rows of a data file, described as under `real`; `name` is for errors."""
        return read_real(name, real, self.resolved(real.data))

    def journal(self, name: str) -> Journal:
        """Scores kept under a name that says everything which decides them: revision, template, version."""
        journal = Journal(self.context.cache / "scores" / name)
        journal.refresh()
        return journal

    def close(self) -> None:
        """Free the models."""
        self._models.close()
        for opened in self._opened.values():
            opened.close()
