"""kept teacher rows, real rows and the mix -> how varied their wording is beside people's, as typed values of report.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from distill.collapse.panel import KINDS, Number, Panel, panel
from distill.collapse.sample import FEWEST, Drawn, draw
from distill.compare.value import Interval, Value
from distill.rows import Row, read_rows

PEOPLE = "real"
FILES = {PEOPLE: ("filter", "real.jsonl"), "teacher": ("filter", "kept.jsonl"), "mix": ("mix", "train.jsonl")}
"""Corpus -> node and file."""


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


def read_diversity(inputs: Mapping[str, Path], seed: int) -> Diversity:
    """The panel over the rows of a run."""
    return beside(
        {name: draw(_rows(inputs[node] / file), seed) for name, (node, file) in FILES.items() if node in inputs}, seed
    )


def _rows(path: Path) -> Iterator[Row]:
    if path.is_file():
        yield from read_rows(path)


def beside(corpora: Mapping[str, Drawn], seed: int) -> Diversity:
    """The panel of what was drawn of every corpus; undefined where one has too few texts."""
    few = [name for name, drawn in corpora.items() if len(drawn.texts) < FEWEST]
    if few:
        shown = ", ".join(f"{len(corpora[name].texts)} texts of {name}" for name in few)
        return Diversity(undefined=f"{shown}: fewer than {FEWEST} say what chance says")
    found = panel(
        {name: drawn.texts for name, drawn in corpora.items()},
        PEOPLE,
        seed,
        {name: drawn.lengths for name, drawn in corpora.items()},
    )
    assert found is not None
    return Diversity(
        texts=found.texts,
        words=found.words,
        measures={name: _measure(name, found) for name in found.numbers},
        lengths=dict(found.lengths),
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
