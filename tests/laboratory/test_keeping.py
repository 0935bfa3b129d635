"""Which rows of which generation a student learns from."""

from __future__ import annotations

import pytest

from distill.laboratory.keeping import KEEPS, PEOPLE, Keep, distinct, kept, portions


def test_pools() -> None:
    assert kept("replace", 3) == (3,)
    assert kept("accumulate", 3) == kept("subsample", 3) == (0, 1, 2, 3)


def test_replace_learns_from_the_last_teacher_alone() -> None:
    assert portions("replace", 4, 100) == {4: 100}


def test_real_rows_take_the_place_of_written_ones() -> None:
    assert portions("replace", 4, 100, 0.1) == {0: 10, 4: 90}


def test_accumulated_rows_grow_by_a_generation() -> None:
    assert portions("accumulate", 3, 100) == {0: 100, 1: 100, 2: 100, 3: 100}


def test_accumulated_rows_make_way_for_a_real_fraction() -> None:
    assert portions("accumulate", 3, 100, 0.1) == portions("accumulate", 3, 100)
    assert portions("accumulate", 3, 100, 0.5) == {0: 100, 1: 33, 2: 33, 3: 34}


def test_a_subsample_has_the_size_of_a_generation() -> None:
    assert portions("subsample", 3, 100) == {0: 25, 1: 25, 2: 25, 3: 25}
    assert portions("subsample", 3, 100, 0.4) == {0: 40, 1: 20, 2: 20, 3: 20}


@pytest.mark.parametrize("keep", KEEPS)
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.37, 0.9])
@pytest.mark.parametrize("rows", [7, 100, 1001])
def test_what_holds_of_all(keep: Keep, fraction: float, rows: int) -> None:
    assert portions(keep, 0, rows, fraction) == {PEOPLE: rows}
    for generation in range(1, 8):
        found = portions(keep, generation, rows, fraction)
        total = sum(found.values())
        assert all(0 < count <= rows for count in found.values()), "nothing is asked for that is not there"
        assert found.get(PEOPLE, 0) >= fraction * total - 0.5
        assert total == rows or keep == "accumulate"
        assert set(found) <= {PEOPLE, *kept(keep, generation)}


def test_arms_that_ask_for_the_same_are_one() -> None:
    assert distinct(KEEPS, (0.0, 0.1), 5, 1000) == [
        ("replace", 0.0), ("replace", 0.1), ("accumulate", 0.0), ("subsample", 0.0),
    ]  # fmt: skip
    assert ("accumulate", 0.1) in distinct(KEEPS, (0.0, 0.1), 10, 1000)
