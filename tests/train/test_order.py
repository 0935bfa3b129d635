from __future__ import annotations

from collections import Counter

import pytest

from distill.errors import TrainError
from distill.train.order import BLANK, plan, rate, share

LENGTHS = [10 + (7 * row) % 23 for row in range(21)]


def test_an_epoch_is_every_row_once_and_only_the_last_step_has_blanks() -> None:
    steps = plan(LENGTHS, batch_size=8, epochs=1, max_steps=None, seed=3)
    assert [len(step) for step in steps] == [8, 8, 8]
    assert sorted(row for step in steps for row in step) == [BLANK] * 3 + list(range(21))
    assert all(row != BLANK for step in steps[:-1] for row in step)


def test_an_epoch_begins_where_the_last_one_ends() -> None:
    steps = plan(LENGTHS, batch_size=8, epochs=2.5, max_steps=None, seed=3)
    places = Counter(row for step in steps for row in step if row != BLANK)
    assert sum(places.values()) == 53  # 2.5 x 21, rounded up
    assert set(places) == set(range(21))
    assert set(places.values()) == {2, 3}
    one = plan(LENGTHS, batch_size=8, epochs=1, max_steps=None, seed=3)
    assert steps[:2] == one[:2]


def test_steps_instead_of_epochs() -> None:
    steps = plan(LENGTHS, batch_size=8, epochs=1, max_steps=5, seed=3)
    assert len(steps) == 5
    assert all(row != BLANK for step in steps for row in step)


def test_the_order_is_drawn_from_the_seed_and_the_epoch() -> None:
    steps = plan(LENGTHS, 21, 2, None, seed=3)
    assert steps == plan(LENGTHS, 21, 2, None, seed=3)
    first, second = (plan([1] * 21, 1, 2, None, seed=seed) for seed in (3, 4))
    assert first != second
    assert first[:21] != first[21:]


def test_within_a_step_the_longest_come_first() -> None:
    for step in plan(LENGTHS, 7, 1, None, seed=3):
        lengths = [LENGTHS[row] for row in step]
        assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize(
    ("batch", "per_device", "world", "expected"),
    [
        (16, 8, 1, (8, 2)),
        (16, 8, 2, (8, 1)),
        (16, 5, 1, (4, 4)),
        (6, 8, 1, (6, 1)),
        (7, 4, 1, (1, 7)),
        (12, 4, 3, (4, 1)),
    ],
)
def test_a_step_is_shared_out_wholly(batch: int, per_device: int, world: int, expected: tuple[int, int]) -> None:
    split = share(batch, per_device, world)
    assert (split.per_device, split.accumulation) == expected
    assert split.per_device * split.accumulation * world == batch


def test_processes_that_cannot_share_a_step_are_an_error_with_the_numbers() -> None:
    with pytest.raises(TrainError, match=r"train\.batch_size: 3 processes cannot share steps of 16 rows(.|\n)*18"):
        share(16, 8, 3)


def test_the_rate_goes_up_without_a_zero_step_and_down_again() -> None:
    shares = [rate(step, 10, 3, "cosine") for step in range(10)]
    assert shares[:4] == [0.25, 0.5, 0.75, 1.0]
    assert shares[3:] == sorted(shares[3:], reverse=True)
    assert 0 < shares[-1] < 0.1
    assert [rate(step, 4, 0, "linear") for step in range(4)] == [1.0, 0.75, 0.5, 0.25]
    assert {rate(step, 4, 0, "constant") for step in range(4)} == {1.0}
