"""Laboratory -> what every arm came to, generation by generation, with 95% intervals.

An arm is a way of keeping with a real fraction. Its curves are means over training seeds, with a t interval over them: every cell
is measured on the same items, so that curves differ by more than their items do. What is said of the last generation, beside
generation 0 and beside `replace`, is paired by seed and by item, and its interval is over both (`distill.statistics.panel`):
it holds for other seeds and other items. Where only one seed or no items are known the interval is over what there is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from distill.compare.value import Interval
from distill.errors import CompareError
from distill.laboratory.keeping import KEEPS, Keep
from distill.laboratory.record import Cell, Laboratory
from distill.statistics.intervals import spread
from distill.statistics.panel import Panel
from distill.statistics.scores import Choice, Scores

Over = Literal["seeds and items", "seeds", "items", "nothing"]
Of = Callable[[Cell], float | None]


@dataclass(frozen=True)
class Arm:
    keep: Keep
    real_fraction: float

    @property
    def name(self) -> str:
        """`replace`, `replace + 10% real`."""
        return f"{self.keep} + {100 * self.real_fraction:.3g}% real" if self.real_fraction else self.keep


@dataclass(frozen=True)
class Estimate:
    value: float
    ci95: Interval | None
    """None where one seed, or nothing by item, leaves nothing to take an interval of."""
    seeds: int
    over: Over


@dataclass(frozen=True)
class Place:
    """A point of a curve."""

    generation: int
    found: Estimate


Curve = tuple[Place, ...]


@dataclass(frozen=True)
class End:
    """What an arm came to in its last generation."""

    arm: Arm
    generation: int
    loss: Estimate
    ratio: Estimate | None
    """Loss as a share of generation 0's; None where that was not measured."""
    beside: Estimate | None
    """Loss less that of the arm it is held against, in the same generation; None of that arm itself."""
    verdict: Choice | None
    """What may be said of it beside that arm."""
    avoided: Estimate | None
    """Of what that arm lost since generation 0 the share that this one did not; None where that arm shows no loss."""


class Curves:
    def __init__(self, laboratory: Laboratory) -> None:
        self.laboratory = laboratory
        self.first = {cell.seed: cell for cell in laboratory.cells if cell.generation == 0}
        """Generation 0 by seed, which all arms begin with."""
        self.by_arm: dict[Arm, dict[tuple[int, int], Cell]] = {}
        for cell in laboratory.cells:
            if cell.generation:
                own = self.by_arm.setdefault(Arm(cell.keep, cell.real_fraction), {})
                own[cell.generation, cell.seed] = cell
        self.arms = sorted(self.by_arm, key=lambda arm: (KEEPS.index(arm.keep), arm.real_fraction))
        self.reference = next((arm for arm in self.arms if arm.keep == "replace"), None)
        """`replace` with the least of real rows: what the others are held against."""

    @property
    def seeds(self) -> list[int]:
        return sorted({cell.seed for cell in self.laboratory.cells})

    @property
    def generations(self) -> int:
        """The last of any arm."""
        return max((cell.generation for cell in self.laboratory.cells), default=0)

    def cells(self, arm: Arm, generation: int) -> dict[int, Cell]:
        """By seed; generation 0 is that of all arms."""
        if not generation:
            return self.first
        return {seed: cell for (one, seed), cell in sorted(self.by_arm[arm].items()) if one == generation}

    def missing(self) -> list[str]:
        """Cells that a whole grid would have, in words."""
        return [
            f"{arm.name}, generation {generation}, seed {seed}"
            for arm in self.arms
            for generation in range(1, self.generations + 1)
            for seed in self.seeds
            if seed not in self.cells(arm, generation)
        ]

    def curve(self, arm: Arm, of: Of) -> Curve:
        """A number of every generation's cells, over the seeds that have it."""
        places = []
        for generation in range(self.generations + 1):
            found = [value for cell in self.cells(arm, generation).values() if (value := of(cell)) is not None]
            if found:
                places.append(Place(generation, over_seeds(found)))
        return tuple(places)

    def all(self, of: Of) -> dict[Arm, Curve]:
        """Of every arm that has more than generation 0."""
        found = {arm: self.curve(arm, of) for arm in self.arms}
        return {arm: curve for arm, curve in found.items() if curve and curve[-1].generation}

    @cached_property
    def ends(self) -> list[End]:
        return [self._end(arm) for arm in self.arms]

    def _end(self, arm: Arm) -> End:
        last = max(generation for generation, _ in self.by_arm[arm])
        own = self.cells(arm, last)
        (loss,) = self._together([own], lambda value: value)
        ratio = self._together([own, self.first], lambda value, first: value / first) if self.first else []
        end = End(arm, last, loss, ratio[0] if ratio else None, None, None, None)
        other = self.reference
        if other is None or arm == other or not (replaced := self.cells(other, last)):
            return end
        beside = self._together([own, replaced], lambda value, theirs: value - theirs)
        lost = self._together([replaced, self.first], lambda value, first: value - first) if self.first else []
        avoided: list[Estimate] = []
        if lost and lost[0].ci95 is not None and lost[0].ci95[0] > 0:
            parts = [own, replaced, self.first]
            avoided = self._together(parts, lambda value, theirs, first: (theirs - value) / (theirs - first))
        return replace(
            end,
            beside=beside[0] if beside else None,
            verdict=self._verdict(own, replaced) if beside else None,
            avoided=avoided[0] if avoided else None,
        )

    def _together(self, parts: Sequence[Mapping[int, Cell]], of: Callable[..., float]) -> list[Estimate]:
        """What is made of the losses of several cells a seed, over the seeds that all of them have; none where none has all."""
        seeds = sorted(set.intersection(*(set(part) for part in parts)))
        if not seeds:
            return []
        panel = self._panel(parts, seeds)
        if panel is None:
            return [over_seeds([of(*(part[seed].loss for part in parts)) for seed in seeds])]
        found = panel.estimate(of, *panel.arms)
        over: Over = "seeds and items" if len(seeds) > 1 else "items"
        return [Estimate(found.value, (found.low, found.high), len(seeds), over)]

    def _panel(self, parts: Sequence[Mapping[int, Cell]], seeds: Sequence[int]) -> Panel | None:
        """Each part an arm with its seeds; None where a cell's losses by item are not known, or are of one prompt."""
        found: dict[str, list[Scores]] = {}
        for number, part in enumerate(parts):
            scores = [self.laboratory.scores(part[seed].losses) for seed in seeds]
            if not all(scores):
                return None
            found[str(number)] = [one for one in scores if one is not None]
        try:
            return Panel(found)
        except CompareError:
            return None

    def _verdict(self, own: Mapping[int, Cell], other: Mapping[int, Cell]) -> Choice:
        """Without losses by item nothing is said: three seeds alone are too few."""
        panel = self._panel([own, other], sorted(set(own) & set(other)))
        return panel.paired([("0", "1")], "lower")[0].verdict if panel else "cannot tell"


def over_seeds(values: Sequence[float]) -> Estimate:
    """Mean with a t interval over training seeds; of one seed none."""
    count = len(values)
    mean = math.fsum(values) / count
    if count < 2:
        return Estimate(mean, None, count, "nothing")
    error = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1) / count)
    found = spread(mean, error, count - 1, count)
    return Estimate(mean, (found.low, found.high), count, "seeds")
