"""The books of a method of many cells, in a few lines."""

from __future__ import annotations

from distill.generate.coverage import coverage, families
from distill.generate.streams import Stream


def cell(domain: str, land: str, quota: int, asked: int, kept: int) -> Stream:
    return Stream(f"grid[domain={domain}, land={land}]", quota, iter(()), "", asked, kept)


CELLS = [
    cell("law", "Spain", 2, 10, 1),
    cell("law", "Norway", 2, 2, 2),
    cell("tax", "Spain", 2, 4, 2),
    cell("tax", "Norway", 0, 0, 0),
]


def test_how_cells_are_covered() -> None:
    full, by_domain, by_land = coverage("grid", CELLS)
    assert full == (
        "grid: 2 of 3 cells are full; no row for 1 whose part is too small; lowest yield: domain=law, land=Spain "
        "(1 of 10 candidates), domain=tax, land=Spain (2 of 4 candidates), domain=law, land=Norway (2 of 2 candidates)"
    )
    assert by_domain == "grid: yield by domain: law 25%, tax 50%"
    assert by_land == "grid: yield by land: Spain 21%, Norway 100%"


def test_many_values_are_the_lowest_and_the_highest() -> None:
    lines = coverage("grid", [cell(f"d{number}", "x", 1, 10, number) for number in range(9)])
    assert lines[1:] == ["grid: yield by domain: d0 0%, d1 10%, d2 20%, d3 30%, … d8 80%"], "one land is no axis"


def test_a_method_without_cells_has_no_coverage() -> None:
    streams = [Stream("answer", 5, iter(())), Stream("answer", 5, iter(())), *CELLS]
    assert coverage("answer", streams[:2]) == []
    assert {name: len(of) for name, of in families(streams).items()} == {"answer": 2, "grid": 4}
