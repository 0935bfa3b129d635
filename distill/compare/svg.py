"""Shapes -> inline SVG that needs no viewer but a browser.

Across, everything is in percent of the width; down, in pixels. So a plot is as wide as its column, on a phone as on
paper, and its text keeps its size. Colours are classes: the style sheet knows them for light, dark and print. Every
text is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

SHAPES = {
    "teacher": "M-5,-5H5V5H-5Z",
    "base": "M0,-7L7,0L0,7L-7,0Z",
    "student": "M-6,0a6,6 0 1,0 12,0a6,6 0 1,0 -12,0Z",
    # Of arms that have a number and no role: students of several runs.
    "mark-1": "M-6,0a6,6 0 1,0 12,0a6,6 0 1,0 -12,0Z",
    "mark-2": "M0,-7L6.5,5H-6.5Z",
    "mark-3": "M-6.5,-5H6.5L0,7Z",
    "mark-4": "M-2.2,-7H2.2V-2.2H7V2.2H2.2V7H-2.2V2.2H-7V-2.2H-2.2Z",
    "mark-5": "M-6.5,0L-3.2,-6H3.2L6.5,0L3.2,6H-3.2Z",
    "mark-6": "M0,-8L2.2,-2.2L8,0L2.2,2.2L0,8L-2.2,2.2L-8,0L-2.2,-2.2Z",
}
MARKS = 6
"""Arms with a number that can be told apart; a seventh looks like the first, and its name tells."""
OTHER = "M0,-7L6.5,5H-6.5Z"


class Scale:
    """Values -> percent across, with a margin for markers at the ends and round ticks."""

    def __init__(self, values: Iterable[float], left: float = 2, right: float = 2, pad: float = 0.06) -> None:
        found = list(values)
        low, high = min(found), max(found)
        pad = pad * (high - low) if high > low else abs(high) * 0.05 or 1.0
        self.low, self.high, self.left, self.right = low - pad, high + pad, left, right

    def __call__(self, value: float) -> float:
        return self.left + (100 - self.left - self.right) * (value - self.low) / (self.high - self.low)

    def ticks(self, about: int = 6) -> list[float]:
        step = round_step((self.high - self.low) / about)
        first = math.ceil(self.low / step)
        return [index * step for index in range(first, math.floor(self.high / step) + 1)]


def round_step(rough: float) -> float:
    """The next of 1, 2, 5, 10 … at or above."""
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def figure(name: str, height: float, title: str, description: str, parts: Sequence[str]) -> str:
    """A whole plot, with its name and what it shows in words for who cannot see it. `name` is unique on a page."""
    return (
        f'<svg class="plot" width="100%" height="{height:g}" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def text(x: float, y: float, words: str, kind: str = "label", anchor: str = "start", shift: float = 0) -> str:
    dx = f' dx="{shift:g}"' if shift else ""
    return f'<text class="{kind}" x="{x:.2f}%" y="{y:.1f}" text-anchor="{anchor}"{dx}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.2f}%" y1="{y1:.1f}" x2="{x2:.2f}%" y2="{y2:.1f}"/>'


def bar(x: float, y: float, width: float, height: float, kind: str, words: str = "") -> str:
    title = f"<title>{escape(words)}</title>" if words else ""
    return f'<rect class="{kind}" x="{x:.2f}%" y="{y:.1f}" width="{width:.2f}%" height="{height:.1f}">{title}</rect>'


def marker(x: float, y: float, arm: str, words: str) -> str:
    """An arm's own shape and colour, told apart without colour too."""
    shape = SHAPES.get(arm, OTHER)
    return (
        f'<svg x="{x:.2f}%" y="{y:.1f}" overflow="visible"><path class="marker {colour(arm)}" d="{shape}">'
        f"<title>{escape(words)}</title></path></svg>"
    )


def key(arm: str) -> str:
    """The marker for a line of text: it is named beside it, and says nothing itself."""
    path = f'<path class="marker {colour(arm)}" d="{SHAPES.get(arm, OTHER)}"/>'
    return f'<svg class="plot mark" width="14" height="14" viewBox="-8 -8 16 16" aria-hidden="true">{path}</svg>'


def whisker(scale: Scale, y: float, low: float, high: float, arm: str) -> str:
    ends = "".join(line(scale(end), y - 4, scale(end), y + 4, f"whisker {colour(arm)}") for end in (low, high))
    return line(scale(low), y, scale(high), y, f"whisker {colour(arm)}") + ends


def colour(arm: str) -> str:
    return f"arm-{arm}" if arm in SHAPES else "arm-other"


def stretched(height: float, paths: Iterable[str]) -> str:
    """Paths drawn in 100 units across and pixels down, stretched to the width."""
    return (
        f'<svg x="0" y="0" width="100%" height="{height:g}" viewBox="0 0 100 {height:g}" preserveAspectRatio="none">'
        f"{''.join(paths)}</svg>"
    )
