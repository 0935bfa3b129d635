"""Plots: curves stay readable beside intervals of any width."""

from __future__ import annotations

import re

from distill.laboratory import plots
from distill.laboratory.curves import Arm, Estimate, Place

ARM = Arm("replace", 0.0)


def drawn(*ends: tuple[float, float]) -> str:
    curve = tuple(
        Place(generation, Estimate(3.0 + generation, both, 3, "seeds")) for generation, both in enumerate(ends)
    )
    return plots.generations("loss", {ARM: curve}, plots.marks([ARM]))


def heights(page: str) -> list[float]:
    polygon = re.search(r'<polygon[^>]*points="([^"]+)"', page)
    assert polygon
    return [float(point.split(",")[1]) for point in polygon[1].split()]


def test_an_interval_that_would_flatten_the_curves_is_cut_and_that_is_said() -> None:
    page = drawn((2.9, 3.1), (-40.0, 48.0))
    assert "intervals are cut at the edge" in page
    assert min(heights(page)) >= plots.TOP and max(heights(page)) <= 220


def test_an_interval_near_the_curves_is_whole() -> None:
    page = drawn((2.9, 3.1), (3.5, 4.5))
    assert "cut at the edge" not in page
    assert len(set(heights(page))) == 4
