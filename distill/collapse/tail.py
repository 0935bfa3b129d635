"""what every filter dropped + what all of them kept -> the share of people's rare words that each filter took away.

A word is rare if at most RARE of people's training rows have it, and lost to a filter if every row that has it, of those that
the filters judged, was dropped by this one. Dropping rows loses words whichever they are: what counts is what a filter takes
beyond as many rows drawn by lot. Nobody sees it in a filter's yield: a bound on length, on perplexity or on a score may drop
a few rows in a hundred and with them a third of all that is rare.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.collapse.panel import RARE
from distill.rows import Row
from distill.words import words

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

KEPT = "kept"
"""In place of a filter's name: no filter dropped the row."""
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


def rare_words(people: Iterable[str]) -> frozenset[str]:
    """Words that at most RARE of the texts have."""
    holders: Counter[str] = Counter()
    for text in people:
        holders.update(set(words(text)))
    return frozenset(word for word, count in holders.items() if count <= RARE)


def tail_lost(judged: Mapping[str, Sequence[Row]], rare: frozenset[str], seed: int) -> tuple[TailLost, ...]:
    """Of every filter that dropped a row, in the order given; nothing where too few rare words are there.

    Args:
        judged: rows by the filter that dropped them, those that none dropped under KEPT.
        rare: `rare_words` of people's rows.
    """
    import numpy as np

    holders: dict[str, list[int]] = defaultdict(list)
    filters = list(judged)
    dropped_by = [number for number, name in enumerate(filters) for _ in judged[name]]
    for place, row in enumerate(row for rows in judged.values() for row in rows):
        for word in set(words(row.answer)) & rare:
            holders[word].append(place)
    if len(holders) < FEWEST:
        return ()
    owner = np.array(dropped_by)
    starts = np.cumsum([0, *map(len, holders.values())])[:-1]
    places = np.array([place for one in holders.values() for place in one])
    rng = np.random.default_rng(seed)
    found = []
    for number, name in enumerate(filters):
        count = int((owner == number).sum())
        if name == KEPT or not count:
            continue
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
