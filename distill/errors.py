"""Every error a user can cause, as one tree.

    DistillError                 printed without a traceback; also a ValueError
    |-- RecipeError              a recipe that cannot be read, every problem at once
    |-- SourceError              a reference to a model or data that leads nowhere or to nothing usable
    |   `-- NotFetchedError      it lives on a hub and is not on this machine yet
    |-- TemplateError            a chat template or a column template that cannot be applied
    |-- ArtifactError            a cache entry or a write that failed (full disk, damage)
    |-- EngineError              an engine that cannot start or answer
    |-- SandboxError             generated code that cannot be confined on this machine
    |-- YieldError               too few rows were left
    |-- TrainError               training that cannot start, go on or be resumed
    |-- LaunchError              processes that are not what the configuration asked for
    |-- StageError               a stage's process that ended early, after saying why
    |-- StoppedError             what a signal ended, with nothing lost
    |-- CompareError             arms that must not be compared
    |-- CollapseError            rows or a student that lost what people's texts have, beyond the guard's limits
    `-- TermsError               a registry that cannot be read, or terms that forbid what the recipe intends

A programmer's mistake is an assert or an ordinary exception, never one of these.
"""

from __future__ import annotations


class DistillError(ValueError):
    """What was found, where, and what to do about it.

    Args:
        message: what is wrong, with the value that was found.
        where: file, key path, row or node the message is about.
        hint: what the user can do, as an instruction.
    """

    def __init__(self, message: str, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, where, hint)
        self.message, self.where, self.hint = message, where, hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n  -> {self.hint}" if self.hint else text


class RecipeError(DistillError):
    """A recipe that cannot be read. The message lists every problem, one a line."""


class SourceError(DistillError):
    """A reference that leads nowhere: a missing package, file or column, an empty or unreadable file."""


class NotFetchedError(SourceError):
    """A hub id that is not cached on this machine while the network is off."""


class TemplateError(DistillError):
    """A template that names an unknown field, or a chat template whose prefixes do not hold."""


class ArtifactError(DistillError):
    """A cache entry that could not be written or read back."""


class EngineError(DistillError):
    """An engine that cannot be started, or that stopped answering."""


class SandboxError(DistillError):
    """Generated code cannot be run here, because a protection is missing."""


class YieldError(DistillError):
    """Fewer rows were accepted than the recipe asks for."""


class TrainError(DistillError):
    """Training that cannot start, go on or be resumed."""


class LaunchError(DistillError):
    """The processes that started are not those the configuration asked for."""


class StageError(DistillError):
    """A stage's process ended early and has said why itself."""


class StoppedError(DistillError):
    """A signal ended the work at a moment of its own choice; the same command goes on.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int, message: str, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, where, hint)
        self.number = number

    @property
    def status(self) -> int:
        """What the process ends with, as shells and Slurm read it."""
        return 128 + self.number


class CompareError(DistillError):
    """Arms that differ in what must be equal: template, tokenizer, items."""


class CollapseError(DistillError):
    """What a student learns from, or what it has become, is poorer than people's texts beyond what `guard` allows."""


class TermsError(DistillError):
    """A registry of terms that cannot be read, or terms that forbid what a recipe intends."""
