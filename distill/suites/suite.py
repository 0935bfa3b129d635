"""What every suite is: a spec in the recipe that knows where its items come from and what an answer to one is worth.

    recipe -> suite -> load(): items, as rows -> rows(): the same in every arm
                       judge(): answers to an item -> measures

A suite says what it asks for, and evaluation asks it of every arm alike:

    likelihood   how likely an arm finds the answer that is there
    choices      which of several answers it finds likeliest
    answers      what it answers, once or several times
    model        the model itself: for a library that asks in its own way

It knows nothing of arms, engines or statistics.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, TypedDict

from pydantic import Field, StringConstraints, model_validator

from distill.context import Resolved
from distill.errors import SourceError
from distill.protocols import Sampling
from distill.rows import Frozen, Row, read_rows
from distill.suites.metrics import METRICS, Metric

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers import PreTrainedTokenizerBase as Tokenizer

SuiteName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
"""Without a dot: `<suite>.<metric>` names a metric."""
Ask = Literal["likelihood", "choices", "answers", "model"]
LOADED = "suites"
"""Node that writes the items of suites that have data of their own, `<label>.jsonl` each."""


class Measure(TypedDict):
    """A value with the weight it has in a mean over items."""

    value: float
    weight: float


Measures = dict[str, Measure]
"""By metric. What could not be measured is absent, never zero."""


@dataclass(frozen=True)
class Decoding:
    """How items are answered, the same in every arm."""

    sampling: Sampling
    samples: int = 1
    """Answers to an item."""
    seed: int = 0


@dataclass(frozen=True)
class Answered:
    """An item with an arm's answers to it, as text: all `samples` of them."""

    row: Row
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Judged:
    """What an arm's answers to an item are worth."""

    measures: Measures = field(default_factory=dict)
    found: str | None = None
    """What was read out of the (first) answer: the number, the choice, the program."""
    why: str | None = None
    """What is wrong with it, in words, where that can be said: how a program failed."""
    confidence: float | None = None
    """Of the choice that was made, between 0 and 1: what calibration is taken from, with the metric that is `chosen`."""
    error: str | None = None
    """Why there is no measure."""
    answer: str | None = None
    """What it said, where the suite asked the model itself."""


@dataclass(frozen=True)
class Subject:
    """An arm's model in this process, for a suite that asks it itself."""

    model: PreTrainedModel
    tokenizer: Tokenizer
    resolved: Mapping[str, Resolved]
    batch_tokens: int
    """Most tokens in a batch, padding and new ones included."""


class Suite(Frozen):
    """A suite as a recipe names it."""

    kind: str
    name: SuiteName | None = None
    """In `<suite>.<metric>`; the kind when not given."""
    ASKS: ClassVar[Ask]
    METRICS: ClassVar[tuple[str, ...]] = ()
    """All that it may measure, by their names in the registry, the most telling one first."""
    NEEDS: ClassVar[tuple[str, ...]] = (LOADED,)
    """Nodes that its items come from."""
    ANSWERED: ClassVar[bool] = True
    """Whether its items are answered too where they are scored."""
    LATER: ClassVar[tuple[str, ...]] = ()
    """Fields that say how items are answered and what that is worth, and not which they are: another value of them leaves
    the items, and all that was trained apart from them, as they are."""
    KNOWN: ClassVar[bool] = True
    """Whether what it measures is known before its data are read."""

    @property
    def label(self) -> str:
        return self.name or self.kind

    @property
    def parts(self) -> tuple[Suite, ...]:
        """The suites that it stands for: itself, as a rule."""
        return (self,)

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the packages that decide what it asks and measures: part of the key of its items."""
        return {}

    @property
    def metrics(self) -> dict[str, Metric]:
        """What it may measure, the most telling one first."""
        return {name: METRICS[name] for name in self.METRICS}

    @property
    def references(self) -> tuple[str, ...]:
        """Data that its items are read from."""
        return ()

    @property
    def loading(self) -> Self:
        """The suite as far as it decides its items."""
        defaults = {name: type(self).model_fields[name].get_default() for name in self.LATER}
        return self.model_copy(update=defaults)

    @property
    def bare(self) -> Self:
        """The suite without what decides neither its items nor answers to them: the terms of its data."""
        return self

    def load(self, resolved: Mapping[str, Resolved]) -> Iterable[Row]:
        """The items, as they are asked: rows of kind `benchmark` with a reference answer, or `prompt` without one.

        Everything an arm is told stands in the row's messages, instruction and examples too; `provenance.root` is what
        items share that are not independent of each other: a prompt, a passage. Of a question that stands among other
        words the evidence `question` has it alone. What is `Noting` is asked for its notes when it is exhausted.
        """
        raise NotImplementedError(f"{self.kind} reads the items that other nodes made")

    def found(self, resolved: Mapping[str, Resolved]) -> dict[str, Metric]:  # noqa: ARG002
        """What it measures, once its data are there."""
        return self.metrics

    def measured(self, inputs: Mapping[str, Path]) -> dict[str, Metric]:
        """What it measures, as it was found when the items were read."""
        if self.KNOWN:
            return self.metrics
        found = json.loads((inputs[LOADED] / f"{self.label}.metrics.json").read_text(encoding="utf-8"))
        return {name: Metric(**about) for name, about in found.items()}

    def rows(self, inputs: Mapping[str, Path]) -> list[Row]:
        """The items in their order, from the folders of the nodes in `NEEDS`."""
        path = inputs[LOADED] / f"{self.label}.jsonl"
        if not path.is_file():
            raise SourceError(f"there are no items of {self.label}", where=str(path), hint="remove the folder")
        return list(read_rows(path))

    @property
    def decoding(self) -> Decoding | None:
        """How its items are answered; None leaves that to `evaluate.generation`, or asks for no answers."""
        return None

    def judge(self, asked: Sequence[Answered]) -> list[Judged]:
        """What the answers are worth; same length, same order. For suites that ask for `answers`."""
        raise NotImplementedError(f"{self.kind} reads no answers")

    def candidates(self, row: Row) -> tuple[str, ...]:
        """The answers that an item is chosen from. For suites that ask for `choices`."""
        raise NotImplementedError(f"{self.kind} has no choices")

    def choose(self, row: Row, logprobs: Sequence[float]) -> Judged:
        """What was chosen, from the log-likelihood of each option, its stop token not included."""
        raise NotImplementedError(f"{self.kind} has no choices")

    def examine(self, rows: Sequence[Row], subject: Subject) -> list[Judged]:
        """What a model makes of some items; same length, same order. For suites that ask the `model` itself."""
        raise NotImplementedError(f"{self.kind} asks no model")


class Answering(Suite):
    """A suite whose items are answered, each once by the likeliest tokens unless it says otherwise."""

    ASKS: ClassVar[Ask] = "answers"
    LATER: ClassVar[tuple[str, ...]] = ("max_new_tokens", "temperature", "samples", "until")
    max_new_tokens: int = Field(256, gt=0)
    """Of an answer."""
    temperature: float = Field(0.0, ge=0)
    """0 takes the likeliest tokens."""
    samples: int = Field(1, gt=0)
    """Answers to every item; more than one needs a temperature."""
    until: tuple[str, ...] = ()
    """Texts that an answer ends before."""

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(
                f"{self.samples} samples without a temperature are one answer {self.samples} times: give temperature: 0.8"
            )
        return self

    @property
    def metrics(self) -> dict[str, Metric]:
        """Over several answers what is right or wrong becomes a share."""
        return {
            name: replace(metric, right=metric.right and self.samples == 1) for name, metric in super().metrics.items()
        }

    @property
    def decoding(self) -> Decoding:
        sampling = Sampling(temperature=self.temperature, max_new_tokens=self.max_new_tokens)
        return Decoding(sampling, self.samples)


def mean(values: Sequence[float], weight: float = 1) -> Measure:
    """What the answers to one item are worth together."""
    return Measure(value=sum(values) / len(values), weight=weight)


def cut(answer: str, until: Sequence[str]) -> str:
    """The answer up to the first of the texts that end it."""
    places = [place for text in until if (place := answer.find(text)) >= 0]
    return answer[: min(places)] if places else answer
