"""tasks of lm-evaluation-harness -> suites: its prompts and its scores on the model of each arm.

A task is a suite of its own, `<task>.<metric>`, so that its items are paired, tested and shown as all others are. What the
harness itself does is in `suites/harness/`; here is what a recipe says of it, without importing it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from distill.context import Resolved
from distill.rows import Row
from distill.suites.metrics import Metric
from distill.suites.suite import Ask, Judged, Subject, Suite

if TYPE_CHECKING:
    from distill.suites.harness.tasks import Tasks

PACKAGE = "lm_eval"
TaskName = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class LmEval(Suite):
    """Tasks by their names in the harness, each asked in the model's chat template with its examples as earlier turns."""

    kind: Literal["lm_eval"] = "lm_eval"
    tasks: tuple[TaskName, ...] = Field(min_length=1)
    """Names of tasks, groups or tags."""
    include: str | None = None
    """Folder of task files of your own, `./tasks`, or `package:NAME/PATH`. Relative paths of data in them start from it."""
    limit: int | None = Field(None, gt=0)
    """First so many items of every task; all when not given."""
    shots: int | None = Field(None, ge=0)
    """Examples before each question; as many as the task says when not given."""
    ASKS: ClassVar[Ask] = "model"
    KNOWN: ClassVar[bool] = False

    @model_validator(mode="after")
    def _one_name(self) -> LmEval:
        if self.name is not None and len(self.tasks) > 1:
            raise ValueError(f"`name` is of one task, and here are {len(self.tasks)}: each has its own name")
        return self

    @property
    def label(self) -> str:
        return self.name or re.sub(r"[^A-Za-z0-9_-]", "_", self.tasks[0])

    @property
    def parts(self) -> tuple[Suite, ...]:
        return tuple(self.model_copy(update={"tasks": (task,)}) for task in self.tasks)

    @property
    def references(self) -> tuple[str, ...]:
        return () if self.include is None else (self.include,)

    @property
    def versions(self) -> dict[str, str]:
        try:
            return {PACKAGE: metadata.version(PACKAGE)}
        except metadata.PackageNotFoundError:  # said when its items are read
            return {PACKAGE: ""}

    def load(self, resolved: Mapping[str, Resolved]) -> Iterator[Row]:
        """Raises:
        SourceError: the harness is not installed, there is no such task, or one that cannot be paired by item.
        """
        from distill.suites.harness.items import questions

        return (question.row for question in questions(self._loaded(resolved), self.limit))

    def found(self, resolved: Mapping[str, Resolved]) -> dict[str, Metric]:
        from distill.suites.harness.scores import metrics

        return metrics(self._loaded(resolved))

    def examine(self, rows: Sequence[Row], subject: Subject) -> list[Judged]:
        from distill.suites.harness.asking import ask
        from distill.suites.harness.items import matching, questions

        asked = questions(self._loaded(subject.resolved), self.limit)
        return ask(matching(asked, rows, self.label), subject, self.label)

    def _loaded(self, resolved: Mapping[str, Resolved]) -> Tasks:
        from distill.suites.harness.tasks import load

        source = resolved[self.include] if self.include is not None else None
        folder: Path | None = None if source is None else source.path
        return load(self.tasks[0], folder, source.revision if source else "", self.shots)
