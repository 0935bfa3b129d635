"""Which of several alike is kept: the first, or the best; whatever it is that makes them alike.

    first    rows are judged as they come, against the keepers before them: what has been accepted stays accepted when
             more rows are asked for
    best     all rows are seen before any is judged, and compared in the order of a score, then of their ids: the same
             rows are kept in whatever order they come

Rows of one kind are compared with each other: a text is no answer, and a pair that ranks an answer teaches another thing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol, Self

from pydantic import model_validator

from distill.errors import SourceError
from distill.filter.bindings import FilterSpec
from distill.protocols import KEEP, Scope, Verdict
from distill.rows import Row

On = Literal["pair", "question", "answer"]


class Near(NamedTuple):
    """What a row is near to."""

    keeper: int
    """Number of the keeper, in the order in which they were kept."""
    alike: float
    """How near; of two texts the smaller value."""


class Features(Protocol):
    """What is compared of some rows."""

    def __len__(self) -> int: ...

    def take(self, which: Any) -> Self:
        """Those of these rows, in this order."""
        ...


class Comparer(Protocol):
    """Compares rows of one kind and remembers those that it keeps."""

    def read(self, texts: Sequence[tuple[str, ...]]) -> Any:
        """Features of rows by what is compared of each."""
        ...

    def follow(self, features: Any) -> list[Near | None]:
        """Judge rows as they come. None: the row is kept."""
        ...

    def survey(self, features: Any) -> None:
        """See rows that are judged later, all of them before the first."""
        ...

    def judge(self, features: Any) -> list[Near | None]:
        """Judge surveyed rows."""
        ...

    def join(self, features: Sequence[Any]) -> Features:
        """One after the other."""
        ...


class Comparing(FilterSpec):
    """A filter that drops a row that is like one which is kept."""

    on: On = "pair"
    """`pair`: the question is like and the answer is like, each by itself, those of one and the same row. With
    `question`, several answers to one question become one row: for prompts, not for chats. A text is compared as it
    is."""
    keeper: Literal["first", "best"] = "first"
    """Which of several alike is kept: the `first` in the order of the requests, or the `best` by a score."""
    by: str | None = None
    """Name of the score of `best`: the label of a filter before this one, such as `judge`. Rows without it come last."""

    @property
    def believes(self) -> tuple[str, ...]:
        return (self.by,) if self.by else ()

    @property
    def scope(self) -> Scope:
        """To choose the best, all must have been seen."""
        return "pool" if self.keeper == "best" else "set"

    @model_validator(mode="after")
    def _best_needs_a_score(self) -> Self:
        if (self.keeper == "best") != (self.by is not None):
            raise ValueError("keeper: best and by: <name of a score> go together")
        return self

    def remember(self, comparer: Callable[[], Comparer], word: str) -> First | Best:
        """The filter that compares with it; `word` begins the reasons."""
        return Best(self, comparer, word) if self.keeper == "best" else First(self, comparer, word)


class First:
    """Keeps the first of several alike."""

    scope: Scope = "set"

    def __init__(self, spec: Comparing, comparer: Callable[[], Comparer], word: str) -> None:
        self.kind, self._on, self._word, self._new = spec.kind, spec.on, word, comparer
        self._comparers: dict[str, Comparer] = {}
        self._ids: dict[str, list[str]] = {}

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """Score is how near, evidence the keeper's id."""
        verdicts = [KEEP] * len(rows)
        for kind, places in by_kind(rows).items():
            comparer = self._comparers.setdefault(kind, self._new())
            ids = self._ids.setdefault(kind, [])
            found = comparer.follow(comparer.read([texts(rows[place], self._on) for place in places]))
            for place, near in zip(places, found, strict=True):
                if near is None:
                    ids.append(rows[place].id)
                else:
                    reason = f"{self._word}_{what(kind, self._on)}"
                    verdicts[place] = Verdict(False, reason, round(near.alike, 4), ids[near.keeper])
        return verdicts


class _Kind:
    """All rows of one kind: what is compared of them, and their ranks."""

    def __init__(self, comparer: Comparer) -> None:
        self.comparer = comparer
        self.features: list[Any] = []
        self.ranks: list[tuple[bool, float, str]] = []


class Best:
    """Keeps the best of several alike."""

    scope: Scope = "pool"

    def __init__(self, spec: Comparing, comparer: Callable[[], Comparer], word: str) -> None:
        assert spec.by is not None
        self.kind, self._on, self._by, self._word, self._new = spec.kind, spec.on, spec.by, word, comparer
        self._kinds: dict[str, _Kind] = {}
        self._verdicts: dict[str, list[Verdict]] | None = None

    def survey(self, rows: Sequence[Row]) -> None:
        """Remember what is compared, and the score."""
        for kind, places in by_kind(rows).items():
            pool = self._kinds.setdefault(kind, _Kind(self._new()))
            features = pool.comparer.read([texts(rows[place], self._on) for place in places])
            pool.comparer.survey(features)
            pool.features.append(features)
            for place in places:
                score = rows[place].scores.get(self._by, math.nan)
                known = math.isfinite(score)
                pool.ranks.append((not known, -score if known else 0.0, rows[place].id))

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """Score is how near, evidence the keeper's id.

        Raises:
            SourceError: no row at all has the score.
        """
        if self._verdicts is None:
            ranks = [rank for pool in self._kinds.values() for rank in pool.ranks]
            if ranks and all(unknown for unknown, _, _ in ranks):
                raise SourceError(
                    f"no row has a score {self._by!r} to choose the best by",
                    where=f"filter {self.kind}",
                    hint=f"put a filter that gives the score {self._by!r} before it, or say keeper: first",
                )
            # Backwards, so that the next verdict is the last.
            self._verdicts = {kind: self._all(kind, pool)[::-1] for kind, pool in self._kinds.items()}
            self._kinds.clear()
        return [self._verdicts[row.kind].pop() for row in rows]

    def _all(self, kind: str, pool: _Kind) -> list[Verdict]:
        """Verdicts on all rows of a kind, as they came."""
        order = sorted(range(len(pool.ranks)), key=pool.ranks.__getitem__)
        features = pool.comparer.join(pool.features)
        pool.features.clear()
        verdicts, ids = [KEEP] * len(order), []
        for start in range(0, len(order), BLOCK):
            places = order[start : start + BLOCK]
            for place, near in zip(places, pool.comparer.judge(features.take(places)), strict=True):
                if near is None:
                    ids.append(pool.ranks[place][2])
                else:
                    reason = f"{self._word}_{what(kind, self._on)}"
                    verdicts[place] = Verdict(False, reason, round(near.alike, 4), ids[near.keeper])
        return verdicts


BLOCK = 1024
"""Rows compared at once."""


def by_kind(rows: Sequence[Row]) -> dict[str, list[int]]:
    """Places of the rows of each kind."""
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.kind, []).append(place)
    return places


def what(kind: str, on: On) -> str:
    """What of a row of this kind is compared, for the reason."""
    return "text" if kind == "text" else on


def texts(row: Row, on: On) -> tuple[str, ...]:
    """What is compared, as many texts in every row of a kind. The question is all that was said before the answer, for
    "why?" asks another thing each time; a system message asks nothing."""
    if row.kind == "text":
        return (row.answer,)
    question = "\n".join(message.content for message in row.prompt if message.role != "system")
    answers = "\n".join([row.answer, *(message.content for message in row.rejected)])
    return {"pair": (question, answers), "question": (question,), "answer": (row.answer,)}[on]
