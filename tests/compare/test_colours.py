"""Colours of arms as people see them who see fewer: far enough apart, and from the page.

What is simulated is the full lack of one kind of cone (Machado, Oliveira and Fernandes 2009, doi:10.1109/TVCG.2009.113); how
far two colours are apart is their distance in CIELAB. Shapes tell arms apart too: this is so that nobody has to look for them.
"""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from distill.compare.html import TEMPLATES
from distill.compare.svg import MARKS

Array = npt.NDArray[np.float64]
SEEN = {
    "all cones": np.eye(3),
    "no long ones": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no middle ones": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "no short ones": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
NAMES = ("teacher", "base", *(f"mark-{number}" for number in range(1, MARKS + 1)))


def colours(scheme: str) -> dict[str, str]:
    """The variables of both sheets in a scheme."""
    found: dict[str, str] = {}
    for name in ("report.css", "compare.css"):
        sheet = (TEMPLATES / name).read_text(encoding="utf-8")
        light, dark = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)[:2]
        for part in (light, dark) if scheme == "dark" else (light,):
            found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", part))
    return found


def linear(colour: str) -> Array:
    parts = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(light: Array) -> Array:
    x, y, z = TO_XYZ @ np.clip(light, 0, 1) / np.array([0.9505, 1, 1.089])
    x, y, z = (np.cbrt(part) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_arms_are_told_apart_by_everybody(scheme: str) -> None:
    found = colours(scheme)
    for seen, matrix in SEEN.items():
        places = {name: lab(np.array(matrix) @ linear(found[name])) for name in NAMES}
        for one, other in combinations(NAMES, 2):
            apart = float(np.linalg.norm(places[one] - places[other]))
            assert apart > 12, f"{one} and {other} with {seen}: {apart:.1f}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_arms_stand_out_from_the_page(scheme: str) -> None:
    found = colours(scheme)
    for name in NAMES:
        for ground in ("page", "panel"):
            low, high = sorted(float(TO_XYZ[1] @ linear(found[one])) for one in (name, ground))
            assert (high + 0.05) / (low + 0.05) > 3, f"{name} on {ground}"
