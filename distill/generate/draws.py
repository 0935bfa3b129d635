"""What a method draws: by hash of the seed, of what it is for and of the candidate, so that it is the same everywhere.

Nothing here has a state: the draw of one candidate is independent of how many there are before or after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import Field, model_validator

from distill.rows import Frozen, Row, digest

T = TypeVar("T")


def number(*what: Any) -> int:
    """A number below 2^60, the same wherever the same is asked."""
    return int(digest(list(what))[:15], 16)


def one(items: Sequence[T], *what: Any) -> T:
    return items[number(*what) % len(items)]


def several(items: Sequence[T], count: int, *what: Any) -> list[T]:
    """So many different items, all of them where there are no more."""
    places: dict[int, None] = {}
    tries = 0
    while len(places) < min(count, len(items)):
        places[number(*what, tries) % len(items)] = None
        tries += 1
    return [items[place] for place in places]


def dealt(items: Sequence[T], index: int, *what: Any) -> T:
    """The item of one candidate, drawn like cards: every item once before any comes again."""
    deck, place = divmod(index, len(items))
    return items[_shuffled(len(items), deck, what)[place]]


@lru_cache(maxsize=64)
def _shuffled(count: int, deck: int, what: tuple[Any, ...]) -> list[int]:
    """One deck in its order; the cards of many methods are dealt side by side."""
    return sorted(range(count), key=lambda item: digest([*what, deck, item]))


def distinct(rows: Iterable[Row]) -> list[Row]:
    """One row of every root, by root: the first that comes."""
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.provenance.root, row)
    return [first[root] for root in sorted(first)]


def in_order(rows: Iterable[Row], seed: int) -> list[Row]:
    """One row of every root, in the order of the root's hash with the seed."""
    return sorted(distinct(rows), key=lambda row: digest([seed, row.provenance.root]))


def grouped(rows: Iterable[Row], seed: int) -> list[list[Row]]:
    """Rows with one and the same prompt together, all that led to the last question included, in the order of the
    prompts' hashes with the seed."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(digest([seed, [message.model_dump() for message in row.prompt]]), []).append(row)
    return [groups[key] for key in sorted(groups)]


def prompts(rows: Iterable[Row], seed: int) -> list[Row]:
    """The first row of every prompt, in that order."""
    return [group[0] for group in grouped(rows, seed)]


class Span(Frozen):
    """A whole number drawn from a range, both ends in it; `3` is short for `{min: 3, max: 3}`."""

    min: int = Field(ge=1)
    max: int = Field(ge=1)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"min": value, "max": value} if isinstance(value, int) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return {"anyOf": [{"type": "integer", "minimum": 1}, handler.resolve_ref_schema(handler(schema))]}

    @model_validator(mode="after")
    def _ordered(self) -> Span:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is more than max {self.max}")
        return self

    def draw(self, *what: Any) -> int:
        return self.min + number(*what) % (self.max - self.min + 1)
