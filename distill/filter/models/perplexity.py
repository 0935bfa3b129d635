"""A filter by perplexity under a small language model, two-sided: what is too predictable, and what is too surprising.

Text that surprises is what a model collapses without: a student that learns only what its teacher finds likely forgets
the rest. So the filter says how much of the surprising tail it left, and warns where it took more there than elsewhere.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from distill.filter.bindings import Bindings
from distill.filter.models.likelihood import Likelihood
from distill.filter.models.measured import Measured, Tally, bounded
from distill.protocols import Filter, Scope, Verdict
from distill.rows import Row

TAIL = 0.1
"""Share of the rows that is called the surprising tail."""
FEWEST = 20
"""Rows of which a tail is told."""
REASONS = ("too_predictable", "too_surprising")
LARGEST = 700.0
"""Loss of which there is still a perplexity."""


class Perplexity(Measured):
    """Drops an answer, or a text, by its perplexity: by bounds, or the ends of all that is there."""

    kind: Literal["perplexity"] = "perplexity"
    model: str
    """Reference of a causal language model; a small one will do."""
    given: Literal["conversation", "nothing"] = "conversation"
    """Whether an answer is read after what was said before, by the model's chat template, or alone, as a model without a
    template has to. A text is always read alone."""
    min: float | None = Field(None, ge=1)
    max: float | None = Field(None, ge=1)
    drop_lowest: float = Field(0, ge=0, lt=1)
    """Share of the rows, the most predictable ones, that is dropped."""
    drop_highest: float = Field(0, ge=0, lt=1)
    """Share of the rows, the most surprising ones, that is dropped."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min is {self.min:g}, above max, which is {self.max:g}")
        if self.drop_lowest + self.drop_highest >= 1:
            raise ValueError("drop_lowest and drop_highest leave nothing")
        if self.by_share and not (self.min is None and self.max is None):
            raise ValueError("give bounds (min, max) or shares (drop_lowest, drop_highest), not both")
        return self

    @property
    def by_share(self) -> bool:
        return self.drop_lowest > 0 or self.drop_highest > 0

    @property
    def scope(self) -> Scope:
        return "pool" if self.by_share else "row"

    @property
    def models(self) -> tuple[str, ...]:
        return (self.model,)

    def bind(self, bindings: Bindings) -> Filter:
        likelihood = Likelihood(bindings.open, self.model)
        return ByShare(self, likelihood) if self.by_share else ByBounds(self, likelihood)


class ByBounds:
    """Judges each row alone."""

    scope: Scope = "row"

    def __init__(self, spec: Perplexity, likelihood: Likelihood) -> None:
        self.kind, self._spec, self._likelihood = spec.kind, spec, likelihood
        self._seen = Seen()

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """The score is the perplexity."""
        values = perplexities(self._likelihood, rows, self._spec)
        return self._seen.entered(values, [self._verdict(one) for one in values])

    def notes(self) -> list[str]:
        seen, self._seen = self._seen, Seen()
        return seen.notes()

    def _verdict(self, value: float | str) -> Verdict:
        if isinstance(value, str):
            return self._spec.unmeasured(value)
        return bounded(value, self._spec.min, self._spec.max, REASONS, "perplexity")


class ByShare:
    """Judges each row among all. In memory are ids and perplexities."""

    scope: Scope = "pool"

    def __init__(self, spec: Perplexity, likelihood: Likelihood) -> None:
        self.kind, self._spec, self._likelihood = spec.kind, spec, likelihood
        self._values: dict[str, float | str] = {}
        self._ends: tuple[set[str], set[str]] | None = None
        self._seen = Seen()

    def survey(self, rows: Sequence[Row]) -> None:
        values = perplexities(self._likelihood, rows, self._spec)
        self._values.update(zip((row.id for row in rows), values, strict=True))

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """The score is the perplexity. Equal ones are told apart by their ids."""
        if self._ends is None:
            self._ends = self._found()
        return self._seen.entered([self._values[row.id] for row in rows], [self._verdict(row) for row in rows])

    def notes(self) -> list[str]:
        return self._seen.notes()

    def _found(self) -> tuple[set[str], set[str]]:
        """Ids of what is dropped at the two ends."""
        order = sorted((value, row) for row, value in self._values.items() if not isinstance(value, str))
        low, high = (math.floor(share * len(order)) for share in (self._spec.drop_lowest, self._spec.drop_highest))
        return {row for _, row in order[:low]}, {row for _, row in order[len(order) - high :]}

    def _verdict(self, row: Row) -> Verdict:
        value = self._values[row.id]
        if isinstance(value, str):
            return self._spec.unmeasured(value)
        assert self._ends is not None
        score = round(value, 4)
        shares = (f"lowest {self._spec.drop_lowest:g}", f"highest {self._spec.drop_highest:g}")
        for reason, ids, share in zip(REASONS, self._ends, shares, strict=True):
            if row.id in ids:
                return Verdict(False, reason, score, f"perplexity {score:g}, among the {share}")
        return Verdict(True, score=score)


class Seen:
    """What was judged: how much of the surprising tail is left."""

    def __init__(self) -> None:
        self._kept, self._dropped = array("d"), array("d")
        self._tally = Tally()

    def entered(self, values: Sequence[float | str], verdicts: list[Verdict]) -> list[Verdict]:
        """The verdicts, noted."""
        for value, verdict in zip(values, verdicts, strict=True):
            if not isinstance(value, str):
                (self._kept if verdict.keep else self._dropped).append(value)
        return self._tally.entered(verdicts)

    def notes(self) -> list[str]:
        tail = tail_kept(self._kept, self._dropped)
        return [*self._tally.notes(), *([tail] if tail else [])]


def tail_kept(kept: Sequence[float], dropped: Sequence[float]) -> str | None:
    """What is left of the most surprising rows and of the others; None of too few."""
    count = len(kept) + len(dropped)
    if count < FEWEST:
        return None
    size = math.ceil(TAIL * count)
    bound = sorted((*kept, *dropped))[-size]
    gone = sum(value >= bound for value in dropped)
    there = gone + sum(value >= bound for value in kept)
    tail, rest = 1 - gone / there, 1 - (len(dropped) - gone) / max(count - there, 1)
    said = f"{tail:.0%} of the most surprising {there} of {count} rows were kept, and {rest:.0%} of the others"
    warning = "; a student that misses what surprises collapses sooner: drop less there, or as much elsewhere"
    return said + (warning if tail < rest else "")


def perplexities(likelihood: Likelihood, rows: Sequence[Row], spec: Perplexity) -> list[float | str]:
    """Of each row, or why it has none."""
    losses = likelihood.losses(rows, spec.given)
    return [one if isinstance(one, str) else math.exp(min(one, LARGEST)) for one in losses]
