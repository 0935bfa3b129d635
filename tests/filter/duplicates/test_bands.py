"""Keepers by the keys of their bands."""

from __future__ import annotations

import numpy as np
import pytest

from distill.filter.duplicates import bands
from distill.filter.duplicates.bands import Bands


def under(table: Bands, key: int) -> tuple[list[int], int]:
    """Keepers under one key, in any order, and how many it says there are."""
    rows, keepers, sizes = table.find(np.array([[key]], dtype=np.uint64))
    assert set(rows.tolist()) <= {0}
    return sorted(keepers.tolist()), int(sizes[0, 0])


def test_keepers_are_found_by_any_key_they_share() -> None:
    table = Bands(2)
    table.add(np.array([[7, 8], [9, 8]], dtype=np.uint64), 0)
    table.add(np.array([[7, 2**64 - 1]], dtype=np.uint64), 2)
    assert under(table, 7) == ([0, 2], 2) and under(table, 8) == ([0, 1], 2)
    assert under(table, 2**64 - 1) == ([2], 1) and under(table, 3) == ([], 0)
    rows, keepers, _ = table.find(np.array([[7, 8], [1, 9]], dtype=np.uint64))
    assert sorted(zip(rows.tolist(), keepers.tolist(), strict=True)) == [(0, 0), (0, 0), (0, 1), (0, 2), (1, 1)]


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_a_full_bucket_holds_the_first_keepers(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "BUCKET", 4)
    table = Bands(1)
    keys = np.array([[5 if n % 2 else 6] for n in range(100)], dtype=np.uint64)
    for start in range(0, 100, batch):
        table.add(keys[start : start + batch], start)
    assert under(table, 5) == ([1, 3, 5, 7], 4) and under(table, 6) == ([0, 2, 4, 6], 4)


def test_many_keys_and_a_table_that_grows() -> None:
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 2**64, (20_000, 3), dtype=np.uint64)
    # The same upper bits: all want the same slot.
    keys[:200, 0] = np.arange(200, dtype=np.uint64) + np.uint64(2**63)
    table = Bands(3)
    for start in range(0, len(keys), 999):
        table.add(keys[start : start + 999], start)
    rows, keepers, sizes = table.find(keys)
    assert np.array_equal(rows, keepers) and np.bincount(rows).tolist() == [3] * len(keys) and (sizes == 1).all()
    assert len(table.find(rng.integers(0, 2**64, (1000, 3), dtype=np.uint64))[0]) == 0
