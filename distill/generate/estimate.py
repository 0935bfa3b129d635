"""streams so far -> what the rest will take, in candidates, tokens, time and money; as far as anybody can know."""

from __future__ import annotations

import math
from collections.abc import Sequence

from distill.engines.spent import Spent
from distill.generate.coverage import families
from distill.generate.streams import Stream


def remaining(streams: Sequence[Stream]) -> tuple[int, Spent]:
    """Candidates still to be asked, and what they will cost, if they go as those before them.

    A stream that was not asked yet is taken to be like the others.
    """
    asked = sum(stream.asked for stream in streams) or 1
    mean = sum((stream.spent for stream in streams), Spent()).times(1 / asked)
    candidates, cost = 0, Spent()
    for stream in streams:
        count = math.ceil(stream.need / stream.likely)
        candidates += count
        cost += (stream.spent.times(1 / stream.asked) if stream.asked else mean).times(count)
    return candidates, cost


def estimate(streams: Sequence[Stream], rate: float) -> str:
    """What is still to come, in a line.

    Args:
        rate: tokens written per second; 0 where nothing was written yet.
    """
    asked = sum(stream.asked for stream in streams)
    candidates, cost = remaining(streams)
    parts = [f"about {candidates} more candidates", f"{cost.tokens:,.0f} tokens", *left(cost, rate)]
    if cost.cost:
        parts.append(f"{cost.cost:.2g} in money")
    return f"by the first {asked}: {', '.join(parts)} ({yields(streams)})"


def left(cost: Spent, rate: float) -> list[str]:
    """The time that is left, in words, where it is known."""
    if rate <= 0:
        return []
    seconds = cost.new_tokens / rate
    return [
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    ]


def yields(streams: Sequence[Stream], most: int = 4) -> str:
    """`answer 83%, self_instruct 41%`: the share of candidates that was kept, worst first where there are many methods."""
    shares = {}
    for name, family in families(streams).items():
        if asked := sum(stream.asked for stream in family):
            shares[name] = sum(stream.kept for stream in family) / asked
    order = list(shares) if len(shares) <= most else sorted(shares, key=lambda name: shares[name])[:most]
    named = ", ".join(f"{name} {shares[name]:.0%}" for name in order)
    return f"kept: {named}{', …' if len(shares) > most else ''}" if named else "nothing asked yet"
