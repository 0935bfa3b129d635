"""Rows in packs: every row is a path, what rows begin with lies there once, and all of it follows from the list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from distill.engines.prefixes import pack

ROWS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), max_size=30)


@given(ROWS, st.integers(1, 40))
def test_every_row_is_a_path_of_one_pack(rows: list[list[int]], most: int) -> None:
    packs = pack(rows, most)
    assert sorted(row for one in packs for row in one.rows) == list(range(len(rows)))
    for one in packs:
        assert len(one.ids) <= most or len(one.rows) == 1
        seen = one.seen()
        for row, path in zip(one.rows, one.paths, strict=True):
            assert [one.ids[token] for token in path] == rows[row]
            assert [one.places[token] for token in path] == list(range(len(path)))
            for length, token in enumerate(path, 1):
                assert sorted(seen[token].nonzero()[0].tolist()) == sorted(path[:length])


def test_what_rows_begin_with_lies_there_once() -> None:
    rows = [[1, 2, 3, 4], [9], [1, 2, 5], [1, 2, 3, 4, 6], [1, 2, 3, 4]]
    (one,) = pack(rows, 100)
    assert len(one.ids) == len({tuple(row[:length]) for row in rows for length in range(1, len(row) + 1)}) == 7


def test_the_order_of_the_list_changes_nothing_but_the_names() -> None:
    rows = [[1, 2, 3], [1, 4], [2, 2], [1, 2, 5]]
    forward, backward = pack(rows, 5), pack(rows[::-1], 5)
    assert [one.ids for one in forward] == [one.ids for one in backward]
