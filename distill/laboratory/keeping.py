"""keep, generation -> which generations' rows its student learns from, and how many of each.

Rows of generation 0 are people's. The student of generation 0 learns from them alone; rows of generation g are written by the
student of generation g - 1, and the student of generation g learns from

replace      the rows of generation g
accumulate   people's rows and those of all generations up to g: the training set grows (Gerstgrasser et al. 2024, arXiv:2404.01413)
subsample    the same pool, drawn down to the size of one generation, so that compute stays the same (Kazdan et al. 2024,
             arXiv:2410.16713)

A real fraction is the least share of people's rows in any of them: `replace` has none of its own, the others 1 / (g + 1). Rows
of teachers make way for them, so that no generation costs more for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

Keep = Literal["replace", "accumulate", "subsample"]
KEEPS: tuple[Keep, ...] = get_args(Keep)
PEOPLE = 0
"""The generation that people's rows are."""


def kept(keep: Keep, generation: int) -> tuple[int, ...]:
    """Generations whose rows are the pool that a student learns from, without what a real fraction adds."""
    return (generation,) if keep == "replace" else tuple(range(generation + 1))


def portions(keep: Keep, generation: int, rows: int, real_fraction: float = 0.0) -> dict[int, int]:
    """Generation -> how many of its rows the student of a generation learns from; only those with any.

    Teachers of one pool have as many rows each, but for one that is left over: the newest have it.

    Args:
        rows: that every generation has, people's too.
        real_fraction: at least this share is people's rows; below 1.
    """
    pool = kept(keep, generation)
    teachers = [one for one in pool if one != PEOPLE]
    if not teachers:
        return {PEOPLE: rows}
    share = max(real_fraction, 1 / len(pool) if PEOPLE in pool else 0.0)
    real = rows if keep == "accumulate" else round(share * rows)
    written = (round(rows / share) if keep == "accumulate" else rows) - real
    each, over = divmod(written, len(teachers))
    newest = teachers[len(teachers) - over :]
    found = {PEOPLE: real, **{one: each + (one in newest) for one in teachers}}
    return {one: count for one, count in found.items() if count}


def distinct(
    keeps: Sequence[Keep], real_fractions: Sequence[float], generations: int, rows: int
) -> list[tuple[Keep, float]]:
    """Arms of a grid that train at least one student on other portions than every arm before: a tenth of people's rows asks for
    nothing where rows accumulate for nine generations."""
    found: dict[str, tuple[Keep, float]] = {}
    for keep in keeps:
        for fraction in real_fractions:
            taught = [sorted(portions(keep, one, rows, fraction).items()) for one in range(generations + 1)]
            found.setdefault(str(taught), (keep, fraction))
    return list(found.values())
