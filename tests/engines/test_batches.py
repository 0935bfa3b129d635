"""Batches follow from the lengths alone."""

from hypothesis import given
from hypothesis import strategies as st

from distill.engines.batches import plan, share


@given(st.lists(st.integers(1, 500), max_size=80), st.integers(1, 2000))
def test_every_request_is_in_one_batch_and_no_batch_is_too_big(lengths: list[int], batch_tokens: int) -> None:
    batches = plan(lengths, batch_tokens)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[place] for place in batch) <= batch_tokens


def test_like_lengths_go_together_longest_first() -> None:
    assert plan([10, 99, 11, 100], 200) == [[3, 1], [2, 0]]


def test_a_request_above_the_bound_is_a_batch_of_its_own() -> None:
    assert plan([50, 5, 5], 10) == [[0], [1, 2]]


@given(st.lists(st.integers()), st.integers(1, 5))
def test_shares_cover_all_once(items: list[int], world: int) -> None:
    shares = [share(items, rank, world) for rank in range(world)]
    assert sorted(item for part in shares for item in part) == sorted(items)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
