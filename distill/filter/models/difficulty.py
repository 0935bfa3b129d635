"""A filter by how much the question helps a small model to say the answer: instruction-following difficulty (IFD).

    perplexity of the answer after the question / perplexity of the same answer alone

Near 0 the question gives the answer away; from 1 on it does not help, because the answer is about something else, or the
model understands neither (Li et al. 2023, arXiv:2308.12032; with a small model in 2024, arXiv:2402.00530).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from distill.filter.bindings import Bindings
from distill.filter.models.likelihood import Likelihood
from distill.filter.models.measured import Measured, Tally, bounded
from distill.protocols import Scope, Verdict
from distill.rows import Row

LARGEST = 700.0
"""Difference of losses of which there is still a ratio."""


class Difficulty(Measured):
    """Drops an answer that its question makes too easy (`too_easy`), or does not help with (`not_helped`)."""

    kind: Literal["difficulty"] = "difficulty"
    model: str
    """Reference of a causal language model with a chat template; a small one will do."""
    min: float | None = Field(None, ge=0)
    max: float | None = Field(1.0, ge=0)
    """1 is where the question makes no difference."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min is {self.min:g}, above max, which is {self.max:g}")
        return self

    @property
    def models(self) -> tuple[str, ...]:
        return (self.model,)

    def bind(self, bindings: Bindings) -> ByDifficulty:
        return ByDifficulty(self, Likelihood(bindings.open, self.model))


class ByDifficulty:
    """The filter with its model."""

    scope: Scope = "row"

    def __init__(self, spec: Difficulty, likelihood: Likelihood) -> None:
        self.kind, self._spec, self._likelihood = spec.kind, spec, likelihood
        self._tally = Tally()

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """The score is the ratio. A text answers nothing, and is kept without one."""
        asked = [place for place, row in enumerate(rows) if row.kind != "text"]
        verdicts = [Verdict(True)] * len(rows)
        for place, pair in zip(asked, self._likelihood.pairs([rows[place] for place in asked]), strict=True):
            verdicts[place] = self._verdict(pair)
        return self._tally.entered(verdicts)

    def notes(self) -> list[str]:
        return self._tally.notes()

    def _verdict(self, pair: tuple[float, float] | str) -> Verdict:
        if isinstance(pair, str):
            return self._spec.unmeasured(pair)
        given, alone = pair
        ratio = math.exp(min(given - alone, LARGEST))
        return bounded(ratio, self._spec.min, self._spec.max, ("too_easy", "not_helped"), "difficulty")
