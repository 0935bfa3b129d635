"""streams of one method, such as the cells of a grid -> how well each is covered, in a few lines however many there are.

A cell's name says what it is: `grid[domain=law, language=Spanish]` is of the family `grid`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from distill.generate.streams import Stream

LOWEST = 3
"""Cells, and values of an axis, that are named: those of which least was kept."""


def families(streams: Iterable[Stream]) -> dict[str, list[Stream]]:
    """The streams of each method."""
    found: dict[str, list[Stream]] = {}
    for stream in streams:
        found.setdefault(stream.family, []).append(stream)
    return found


def coverage(name: str, streams: Sequence[Stream]) -> list[str]:
    """Which cells are full, which gave least, and of which values of each axis; nothing of a method without cells."""
    cells = [stream for stream in streams if inside(stream.name)]
    if not cells:
        return []
    asked = [cell for cell in cells if cell.asked]
    full = sum(not cell.need for cell in cells)
    none = sum(not cell.quota for cell in cells)
    line = f"{name}: {full - none} of {len(cells) - none} cells are full"
    if none:
        line += f"; no row for {none} whose part is too small"
    lowest = sorted(asked, key=lambda cell: cell.kept / cell.asked)[:LOWEST]
    told = ", ".join(f"{inside(cell.name)} ({cell.kept} of {cell.asked} candidates)" for cell in lowest)
    lines = [f"{line}; lowest yield: {told}" if told else line]
    return lines + [f"{name}: yield by {axis}: {named}" for axis, named in _by_axis(asked).items()]


def inside(name: str) -> str:
    """The cell of a stream's name."""
    return name.partition("[")[2].removesuffix("]")


def _by_axis(cells: Sequence[Stream]) -> dict[str, str]:
    """The values of each axis with their yields, lowest first."""
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    for cell in cells:
        for pair in inside(cell.name).split(", "):
            axis, _, value = pair.partition("=")
            kept, asked = counts.setdefault(axis, {}).get(value, (0, 0))
            counts[axis][value] = (kept + cell.kept, asked + cell.asked)
    return {axis: _lowest(values) for axis, values in counts.items() if len(values) > 1}


def _lowest(values: Mapping[str, tuple[int, int]]) -> str:
    shares = {value: kept / asked for value, (kept, asked) in values.items()}
    order = sorted(shares, key=lambda value: (shares[value], value))
    shown = [f"{value} {shares[value]:.0%}" for value in order[: LOWEST + 1]]
    return ", ".join(shown) + (f", … {order[-1]} {shares[order[-1]]:.0%}" if len(order) > LOWEST + 1 else "")
