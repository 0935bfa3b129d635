"""Of 95% intervals, 95% hold the truth, in every world that evaluation meets; the benchmark has thousands of samples of each."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.bench.evaluate_statistics import WORLDS, Trial, compare_cost, coverage


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.__name__)
def test_intervals_hold_the_truth(world: Trial) -> None:
    rng = np.random.default_rng(7)
    held = np.mean([world(rng, 300) for _ in range(200)])
    assert 0.90 <= held <= 0.99  # of 200 samples, three standard errors are 4.6 points


@pytest.mark.slow
def test_intervals_hold_the_truth_in_long_simulation() -> None:
    found = dict(coverage(2_000, 1_000))
    assert all(0.925 <= share <= 0.975 for share in found.values()), found


@pytest.mark.slow
def test_six_arms_of_ten_thousand_items_are_compared_quickly() -> None:
    cost = compare_cost()
    assert cost["processor"] < 5 and cost["mb"] < 500
