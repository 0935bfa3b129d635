"""p-values of one family of tests -> the same, adjusted so that the chance of any false claim stays under the level.

Holm 1979 (Scandinavian Journal of Statistics 6:65): it holds however the tests depend on each other, and suites and metrics
of the same models do.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


def holm(ps: Mapping[Name, float]) -> dict[Name, float]:
    """Adjusted p by name, in the order given: the smallest times their number, the next times one less, never falling."""
    adjusted: dict[Name, float] = {}
    highest = 0.0
    for rank, name in enumerate(sorted(ps, key=lambda name: ps[name])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in ps}
