"""A choice of as many rows as are asked for, drawn by how much they surprise a small language model: the last filter of a chain.

    chance of a row, as long as it was not drawn  ~  (its perplexity / that of the middle one of rows of its length) ** power

Short answers surprise by their few words (docs/filters/models.md has the figures): beside all others they would be drawn for
being short.

A student that learns what its teacher finds likely learns the middle of it, and the next one the middle of that. Learning from
the least surprising texts makes collapse worse, from the more surprising ones slower (Gambetta et al. 2024, arXiv:2410.12341);
drawing rows by a weight instead of cutting at a bound keeps every kind of row there is (importance resampling, as Drayson
et al. 2025, arXiv:2502.15654, do by a detector's word).

Rows are drawn one after the other, without putting back. That is the same as taking the highest of log(u) / weight, u even
between 0 and 1 (Efraimidis and Spirakis 2006, doi:10.1016/j.ipl.2005.11.003); u is the row's hash, so that neither the order of
rows nor the number of processes changes what is drawn. In memory are an id and a perplexity of each row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import ClassVar, Literal

from pydantic import Field

from distill.filter.bindings import Bindings
from distill.filter.models.likelihood import Likelihood
from distill.filter.models.measured import Measured
from distill.filter.models.perplexity import LARGEST, Seen
from distill.protocols import Scope, Verdict
from distill.rows import Row, digest

NOT_DRAWN = "not_drawn"
ALIKE = 25
"""Rows on either side of a row, in the order of their lengths, that are of about its length."""
OUTLIERS = 0.02
"""Share of the rows, the most surprising ones and one at least, that weigh no more than the row before them: one broken text
would be drawn for certain otherwise."""


class Surprising(Measured):
    """Draws of each method as many rows as are asked for, the surprising ones more often."""

    kind: Literal["surprising"] = "surprising"
    model: str
    """Reference of a causal language model; the student's own says what would surprise it."""
    given: Literal["conversation", "nothing"] = "conversation"
    """Whether an answer is read after what was said before, by the model's chat template, or alone."""
    power: float = Field(1.0, ge=0)
    """Of the perplexity beside that of rows of like length; 0 draws all rows alike."""
    seed: int = Field(0, ge=0)
    """Of the draw."""
    oversample: float = Field(2.0, ge=1)
    """Accepted rows that generation makes for each that is kept."""

    CHOOSES: ClassVar[bool] = True

    @property
    def scope(self) -> Scope:
        return "pool"

    @property
    def models(self) -> tuple[str, ...]:
        return (self.model,)

    @property
    def candidates(self) -> float:
        return self.oversample

    def bind(self, bindings: Bindings) -> ByWeight:
        return ByWeight(self, bindings)


class ByWeight:
    """The draw with its model. It remembers every row that it surveyed."""

    scope: Scope = "pool"

    def __init__(self, spec: Surprising, bindings: Bindings) -> None:
        self.kind, self._spec, self._bindings = spec.kind, spec, bindings
        self._likelihood = Likelihood(bindings.open, spec.model)
        self._losses: dict[str, float | str] = {}
        self._lengths: dict[str, int] = {}
        self._methods: dict[str, list[str]] = {}
        self._drawn: set[str] | None = None
        self._seen = Seen()

    def survey(self, rows: Sequence[Row]) -> None:
        losses = self._likelihood.losses(rows, self._spec.given)
        for row, loss in zip(rows, losses, strict=True):
            self._losses[row.id], self._lengths[row.id] = loss, len(row.answer)
            if self._spec.missing == "keep" or not isinstance(loss, str):
                self._methods.setdefault(self._bindings.counted(row), []).append(row.id)

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """The score is the perplexity."""
        if self._drawn is None:
            self._drawn = {
                row
                for method, there in self._methods.items()
                for row in drawn(self._weights(there), self._bindings.rows.get(method, 0), self._spec.seed)
            }
        values = [_perplexity(self._losses[row.id]) for row in rows]
        return self._seen.entered(values, [self._verdict(row, one) for row, one in zip(rows, values, strict=True)])

    def notes(self) -> list[str]:
        return self._seen.notes()

    def _weights(self, rows: Sequence[str]) -> dict[str, float]:
        """Log weights: the perplexity's log is the loss. A row without one weighs what a middle row does."""
        losses = {row: loss for row in rows if not isinstance(loss := self._losses[row], str)}
        beside = beyond_the_middle(losses, self._lengths)
        ordered = sorted(beside.values()) or [0.0]
        top = ordered[max(0, int((1 - OUTLIERS) * len(ordered)) - 1)]
        return {row: self._spec.power * min(beside.get(row, 0.0), top) for row in rows}

    def _verdict(self, row: Row, value: float | str) -> Verdict:
        assert self._drawn is not None
        is_drawn = row.id in self._drawn
        if isinstance(value, str) and (is_drawn or self._spec.missing == "drop"):
            return self._spec.unmeasured(value)
        score = None if isinstance(value, str) else round(value, 4)
        if is_drawn:
            return Verdict(True, score=score)
        told = "not measured" if score is None else f"perplexity {score:g}"
        return Verdict(False, NOT_DRAWN, score, f"{told}; {len(self._drawn)} rows were drawn")


def beyond_the_middle(losses: Mapping[str, float], lengths: Mapping[str, int]) -> dict[str, float]:
    """Each row's loss less the middle one of the rows of about its length, nats.

    Args:
        lengths: of the answers, in characters.
    """
    order = sorted(losses, key=lambda row: (lengths[row], row))
    found = {}
    for place, row in enumerate(order):
        start = max(0, min(place - ALIKE, len(order) - 2 * ALIKE - 1))
        found[row] = losses[row] - median(losses[other] for other in order[start : start + 2 * ALIKE + 1])
    return found


def drawn(weights: dict[str, float], count: int, seed: int) -> list[str]:
    """Rows drawn without putting back, in the order in which they are drawn.

    Args:
        weights: log of each row's weight, by its id.
    """

    def place(row: str) -> tuple[float, str]:
        even = (int(digest([seed, row])[:13], 16) + 0.5) / 16**13
        # log of -log(u) / weight: the lowest is drawn first, and no weight is too large or small for a float.
        return math.log(-math.log(even)) - weights[row], row

    return sorted(weights, key=place)[:count]


def _perplexity(loss: float | str) -> float | str:
    return loss if isinstance(loss, str) else math.exp(min(loss, LARGEST))
