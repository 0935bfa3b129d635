"""The division of rows among methods."""

from __future__ import annotations

import doctest

from hypothesis import given
from hypothesis import strategies as st

import distill.quotas
from distill.quotas import quotas


def test_largest_remainder_gains_the_last_row() -> None:
    assert quotas(10, {"a": 0.55, "b": 0.45}) == {"a": 6, "b": 4}
    assert quotas(3, {"a": 0.1, "b": 0.9}) == {"a": 0, "b": 3}
    assert quotas(240, {"answer": 0.8, "self_instruct": 0.2}) == {"answer": 192, "self_instruct": 48}


def test_equal_remainders_go_to_the_first_named() -> None:
    assert quotas(1, {"b": 0.5, "a": 0.5}) == {"b": 1, "a": 0}


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(distill.quotas).failed == 0


@given(
    st.integers(0, 10**6),
    st.dictionaries(st.text(max_size=3), st.floats(0.001, 1000), min_size=1, max_size=6),
)
def test_quotas_sum_to_the_rows_and_lie_within_one_of_the_exact_share(rows: int, shares: dict[str, float]) -> None:
    found = quotas(rows, shares)
    assert sum(found.values()) == rows
    total = sum(shares.values())
    assert all(abs(found[name] - rows * share / total) < 1 + 1e-6 for name, share in shares.items())
