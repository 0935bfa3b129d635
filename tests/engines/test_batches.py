"""Batches follow from the lengths alone."""

from hypothesis import given
from hypothesis import strategies as st

from distill.engines.batches import lanes, plan, share


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


@given(st.lists(st.integers(1, 500), max_size=400), st.integers(1, 5000))
def test_lanes_cover_all_once_and_are_of_like_length(lengths: list[int], batch_tokens: int) -> None:
    dealt = lanes(lengths, batch_tokens)
    assert sorted(place for lane in dealt for place in lane) == list(range(len(lengths)))
    sizes = list(map(len, dealt))
    assert all(sizes) and max(sizes, default=0) - min(sizes, default=0) <= 1
    for lane in dealt:
        assert [lengths[place] for place in lane] == sorted((lengths[place] for place in lane), reverse=True)


def test_many_requests_make_many_lanes_and_so_do_long_ones() -> None:
    counts = [len(lanes([200] * count, 32768)) for count in (1, 64, 256, 1024, 16384)]
    assert counts == [1, 1, 2, 4, 32]
    assert len(lanes([4000] * 256, 8192)) == 32
    assert len(lanes([200] * 640, 262144)) == 1, "what one batch holds"
    assert lanes([], 100) == []


@given(st.lists(st.integers()), st.integers(1, 5))
def test_shares_cover_all_once(items: list[int], world: int) -> None:
    shares = [share(items, rank, world) for rank in range(world)]
    assert sorted(item for part in shares for item in part) == sorted(items)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
