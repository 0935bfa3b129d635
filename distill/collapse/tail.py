"""what every filter dropped + what all of them kept -> the share of people's rare words that each filter took away.

A word is rare if at most RARE of people's training rows have it, and lost to a filter if every row that has it, of those that
the filters judged, was dropped by this one. Dropping rows loses words whichever they are: what counts is what a filter takes
beyond as many rows drawn by lot. Nobody sees it in a filter's yield: a bound on length, on perplexity or on a score may drop
a few rows in a hundred and with them a third of all that is rare.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.collapse.panel import RARE
from distill.rows import Row, digest
from distill.words import words

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

KEPT = "kept"
"""In place of a filter's name: no filter dropped the row."""
ROWS = 20_000
"""Most rows that are looked at: of a million as of so many."""
DRAWS = 200
"""By lot, of as many rows as a filter dropped."""
FEWEST = 20
"""Rare words under which nothing is said."""


@dataclass(frozen=True)
class TailLost:
    filter: str
    rows: int
    """That it dropped."""
    of: int
    """Rows that were judged."""
    lost: float
    """Share of the rare words that it took away, of those that the judged rows have."""
    by_lot: float
    """The same of as many rows drawn by lot, on average."""
    most_by_lot: float
    """What 97.5% of such draws stay under."""
    words: int
    """Rare words that the judged rows have."""

    @property
    def beyond(self) -> float:
        """What it took beyond the lot; 0 where the lot might have taken it."""
        return self.lost - self.by_lot if self.lost > self.most_by_lot else 0.0


def rare_words(people: Iterable[Sequence[str]]) -> frozenset[str]:
    """Words that at most RARE of the texts have.

    Args:
        people: texts in words.
    """
    holders: Counter[str] = Counter()
    for text in people:
        holders.update(set(text))
    return frozenset(word for word, count in holders.items() if count <= RARE)


def sampled(judged: Iterable[tuple[str, Row]], seed: int) -> list[tuple[str, str]]:
    """The filter and the answer of the ROWS rows with the lowest hashes: the same from any order."""
    keyed = ((digest([seed, row.id]), name, row.answer) for name, row in judged if row.answer)
    return [(name, answer) for _, name, answer in heapq.nsmallest(ROWS, keyed)]


def tail_lost(judged: Sequence[tuple[str, str]], rare: frozenset[str], seed: int) -> tuple[TailLost, ...]:
    """Of every filter that dropped a row, by name; nothing where too few rare words are there.

    Args:
        judged: of every row the filter that dropped it, or KEPT, and its answer.
        rare: `rare_words` of people's rows.
    """
    import numpy as np

    holders: dict[str, list[int]] = defaultdict(list)
    for place, (_, answer) in enumerate(judged):
        for word in set(words(answer)) & rare:
            holders[word].append(place)
    if len(holders) < FEWEST:
        return ()
    filters = sorted({name for name, _ in judged} - {KEPT})
    owner = np.array([filters.index(name) if name != KEPT else -1 for name, _ in judged])
    starts = np.cumsum([0, *map(len, holders.values())])[:-1]
    places = np.array([place for one in holders.values() for place in one])
    rng = np.random.default_rng(seed)
    found = []
    for number, name in enumerate(filters):
        count = int((owner == number).sum())
        drawn = [_lost(rng.permutation(len(owner)) < count, places, starts) for _ in range(DRAWS)]
        found.append(
            TailLost(
                filter=name,
                rows=count,
                of=len(owner),
                lost=_lost(owner == number, places, starts),
                by_lot=float(np.mean(drawn)),
                most_by_lot=float(np.quantile(drawn, 0.975)),
                words=len(holders),
            )
        )
    return tuple(found)


def _lost(dropped: npt.NDArray[np.bool_], places: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> float:
    """Share of the words of which all rows were dropped.

    Args:
        dropped: of each row.
        places: rows of each word, one word after the other.
        starts: where each word's begin.
    """
    import numpy as np

    return float(np.logical_and.reduceat(dropped[places], starts).mean())
