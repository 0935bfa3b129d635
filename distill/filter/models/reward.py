"""A filter by a reward model, or by any classifier of texts: toxicity, safety, quality, language.

A model with one output gives that number, as reward models do. One with classes gives the probability of the class that is
named. Logits are kept, so that another threshold or another class asks nothing again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import model_validator

from distill.engines.classifier import Classifier
from distill.errors import EngineError
from distill.filter.bindings import Bindings
from distill.filter.models.measured import Measured, Tally, bounded
from distill.protocols import Scope, Verdict
from distill.rows import Row


class Reward(Measured):
    """Drops what a sequence classifier marks too low (`low_score`) or too high (`high_score`)."""

    kind: Literal["reward"] = "reward"
    model: str
    """Reference of a model for sequence classification: folder, hub id or `package:`."""
    probability_of: str | None = None
    """Class whose probability is the score; none for a model that gives one number."""
    reads: Literal["conversation", "answer"] = "conversation"
    """`conversation`: by the model's chat template, or without one question and answer as a pair of texts. `answer`: the
    answer alone, as most classifiers of toxicity were trained."""
    min_score: float | None = None
    max_score: float | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_score is not None and self.max_score is not None and self.min_score > self.max_score:
            raise ValueError(f"min_score is {self.min_score:g}, above max_score, which is {self.max_score:g}")
        return self

    @property
    def models(self) -> tuple[str, ...]:
        return (self.model,)

    def bind(self, bindings: Bindings) -> ByReward:
        return ByReward(self, bindings.open.classifier(self.model))


class ByReward:
    """The filter with its model."""

    scope: Scope = "row"

    def __init__(self, spec: Reward, classifier: Classifier) -> None:
        self.kind, self._spec, self._classifier = spec.kind, spec, classifier
        self._tally = Tally()

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """The score is the number, or the probability."""
        place = self._class()
        logits = self._classifier.logits([row.messages for row in rows], self._spec.reads == "answer")
        return self._tally.entered([self._verdict(one, place) for one in logits])

    def notes(self) -> list[str]:
        return self._tally.notes()

    def _verdict(self, logits: list[float] | str, place: int | None) -> Verdict:
        if isinstance(logits, str):
            return self._spec.unmeasured(logits)
        value = logits[0] if place is None else _probability(logits, place, self._classifier.exclusive)
        unit = f"probability of {self._spec.probability_of}" if place is not None else "score"
        return bounded(value, self._spec.min_score, self._spec.max_score, ("low_score", "high_score"), unit)

    def _class(self) -> int | None:
        """Place of the class that is asked for; None where the model gives one number.

        Raises:
            EngineError: the model has classes and none is named, or another one.
        """
        labels, asked = self._classifier.labels, self._spec.probability_of
        if len(labels) == 1 and asked is None:
            return None
        if asked in labels and len(labels) > 1:
            return labels.index(asked)
        there = (
            f"there are: {', '.join(labels)}" if len(labels) > 1 else "it gives one number: leave probability_of out"
        )
        raise EngineError(
            f"no class {asked!r}; {there}" if asked else f"it tells classes apart, and none is asked for; {there}",
            where=f"filter ({self._spec.label}): {self._spec.model}",
            hint="name one with probability_of" if len(labels) > 1 else None,
        )


def _probability(logits: Sequence[float], place: int, exclusive: bool) -> float:
    """Of one class: against the others, or by itself where several may be true."""
    if not exclusive:
        return 1 / (1 + math.exp(-max(-700.0, min(700.0, logits[place]))))
    top = max(logits)
    weights = [math.exp(value - top) for value in logits]
    return weights[place] / sum(weights)
