"""Several courses of asking, moved on side by side: what each asks next goes out at once, whatever the others wait for."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from distill.generate.author import Unusable

T = TypeVar("T")


def together(courses: Sequence[Generator[Any, Any, T]]) -> Generator[Any, Any, list[T | Unusable]]:
    """What each comes to, in their order: its result, or why it has none."""
    ended: dict[int, T | Unusable] = {}
    waiting: dict[int, Any] = {}

    def advance(place: int, got: Any) -> None:
        try:
            waiting[place] = courses[place].send(got)
        except StopIteration as stop:
            ended[place] = stop.value
        except Unusable as unusable:
            ended[place] = unusable

    for place in range(len(courses)):
        advance(place, None)
    while waiting:
        asked = {place: one if isinstance(one, tuple) else (one,) for place, one in waiting.items()}
        single = {place for place, one in waiting.items() if not isinstance(one, tuple)}
        waiting.clear()
        answers = iter((yield tuple(one for several in asked.values() for one in several)))
        for place, several in asked.items():
            got = [next(answers) for _ in several]
            advance(place, got[0] if place in single else got)
    return [ended[place] for place in range(len(courses))]
