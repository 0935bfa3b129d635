"""guard.json -> how varied the wording of kept teacher rows and of the mix is beside people's, as typed values of report.json."""

from __future__ import annotations

from typing import Literal

from distill.collapse.found import Found
from distill.collapse.panel import KINDS, Number, Panel
from distill.compare.value import Interval, Value


class Measure(Value):
    """One measure of every corpus, on samples of one size."""

    better: Literal["higher", "lower"]
    """Which way is more varied."""
    meaning: str
    values: dict[str, float]
    """By corpus: `real`, `teacher`, `mix`."""
    ci95: dict[str, Interval]
    beside: dict[str, Interval]
    """95% interval of a corpus' value less that of the real rows."""

    def fell(self, corpus: str) -> bool:
        """Whether the corpus is less varied than people's texts, beyond its interval."""
        low, high = self.beside.get(corpus, (0.0, 0.0))
        return high < 0 if self.better == "higher" else low > 0


class AttributeShares(Value):
    """Shares of texts that have what the user named, of real rows, the teacher's and the student's answers."""

    kind: str
    values: dict[str, float]
    """By corpus: `real`, `teacher`, `student`; without those of which none could be told."""
    ci95: dict[str, Interval]
    beside: dict[str, Interval]
    """95% interval of a corpus' share less that of the real rows."""
    told: dict[str, int]
    """Texts of which it could be told."""
    untold: dict[str, int]
    amplified: bool
    """Whether the student went on the way that the teacher went from people, each beyond its interval."""

    def moved(self, corpus: str) -> bool:
        low, high = self.beside.get(corpus, (0.0, 0.0))
        return low > 0 or high < 0


class Mean(Value):
    mean: float
    ci95: Interval


class Rarest(Value):
    """Loss in nats per token on the tenth of people's held-out texts whose words are the rarest."""

    n: int
    arms: dict[str, Mean]
    rise: float | None
    """Student less base, on the same texts."""
    ci95: Interval | None


class TrainGap(Value):
    """Mean training loss up to a step less the loss on real rows that are not trained on, in nats per token."""

    step: int
    train: float
    real: float
    gap: float


class Diversity(Value):
    """The real rows, the teacher's and the mix, cut to the same number of texts of the same lengths."""

    texts: int = 0
    """Of each corpus in a sample."""
    words: int = 0
    """Of each corpus in a sample."""
    measures: dict[str, Measure] = {}
    lengths: dict[str, float] = {}
    """Largest difference between the lengths of a corpus' texts and people's (Kolmogorov and Smirnov)."""
    undefined: str | None = None
    attributes: dict[str, AttributeShares] = {}
    """By the name that the recipe gives them."""
    rarest: Rarest | None = None
    """None where too few real texts are held out."""
    train_gap: TrainGap | None = None
    """Of the last training; None where no loss on real rows was measured, and where the training loss is not the plain one: a
    loss of preferences, of distributions or without the surest tokens is no nats per token to be held against it."""


def diversity(found: Found) -> Diversity:
    """The panel that `guard` computed over the rows of a run."""
    panel = found.panel
    if panel is None:
        return Diversity(undefined=found.unsaid)
    return Diversity(
        texts=panel.texts,
        words=panel.words,
        measures={name: _measure(name, panel) for name in panel.numbers},
        lengths=dict(panel.lengths),
    )


def _measure(name: str, found: Panel) -> Measure:
    own, beside = found.numbers[name], found.beside[name]
    return Measure(
        better=KINDS[name].better,
        meaning=KINDS[name].meaning,
        values={corpus: number.value for corpus, number in own.items()},
        ci95={corpus: _interval(number) for corpus, number in own.items()},
        beside={corpus: _interval(number) for corpus, number in beside.items()},
    )


def _interval(number: Number) -> Interval:
    return number.low, number.high
