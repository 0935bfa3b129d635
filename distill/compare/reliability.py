"""how sure an arm was of its choices -> a reliability diagram: confidence across, accuracy up."""

from __future__ import annotations

import math
from html import escape

from distill.compare.findings import ArmCalibration
from distill.compare.svg import Scale, colour, figure, line, text
from distill.compare.words import number, percent

BOTTOM = 190.0
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def diagram(suite: str, arm: str, found: ArmCalibration) -> str:
    """A dot for each bin, its area by the choices in it, and a line from it to where it should be."""
    across = Scale((0.0, 1.0), left=10, right=3, pad=0)

    def down(share: float) -> float:
        return 8 + (BOTTOM - 8) * (1 - share)

    parts = []
    for tick in TICKS:
        parts += [
            line(across(0), down(tick), across(1), down(tick), "grid"),
            text(0, down(tick) + 4, percent(tick), "tick"),
            text(across(tick), BOTTOM + 18, percent(tick), "tick", "end" if tick == 1 else "middle"),
        ]
    parts.append(line(across(0), down(0), across(1), down(1), "limit"))
    for one in found.bins:
        x, y = across(one.confidence), down(one.accuracy)
        size = 2.5 + 9 * math.sqrt(one.n / found.n)
        words = f"{arm}: {one.n:,} choices, {percent(one.confidence)} sure, {percent(one.accuracy)} right"
        parts += [
            line(x, y, x, down(one.confidence), f"whisker {colour(arm)}"),
            f'<circle class="marker {colour(arm)}" cx="{x:.2f}%" cy="{y:.1f}" r="{size:.1f}">'
            f"<title>{escape(words)}</title></circle>",
        ]
    said = "; ".join(f"{percent(one.confidence)} sure, {percent(one.accuracy)} right ({one.n:,})" for one in found.bins)
    name = "".join(letter if letter.isalnum() else "-" for letter in f"sure-{suite}-{arm}")
    title = f"{arm} in {suite}: calibration error {number(found.error)}"
    return figure(name, BOTTOM + 24, title, f"Choices by confidence: {said}.", parts)
