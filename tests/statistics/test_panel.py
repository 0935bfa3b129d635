"""Intervals against closed forms, coverage by simulation, verdicts and the gap on known numbers."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from distill.errors import CompareError
from distill.statistics.estimates import gap_recovered, mean, paired
from distill.statistics.scores import Scores

Array = npt.NDArray[np.float64]


def scores(values: Array | list[float], weights: Array | list[float] | None = None, per_root: int = 1) -> Scores:
    n = len(values)
    items = [f"item{i:06d}" for i in range(n)]
    return Scores(
        items,
        [float(value) for value in values],
        [float(weight) for weight in weights] if weights is not None else [1.0] * n,
        [f"root{i // per_root:06d}" for i in range(n)],
    )


def test_mean_is_weighted_and_its_interval_is_the_analytic_one() -> None:
    rng = np.random.default_rng(1)
    values, weights = rng.normal(2, 0.5, 400), rng.integers(5, 60, 400).astype(float)
    found = mean(scores(values, weights))
    centre = float((weights * values).sum() / weights.sum())
    error = math.sqrt(400 / 399 * np.square(weights * (values - centre)).sum()) / weights.sum()
    assert found.value == pytest.approx(centre)
    assert found.n == 400
    assert found.low == pytest.approx(centre - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(centre + 1.96 * error, abs=0.15 * error)


def test_equal_values_have_an_interval_of_no_width() -> None:
    found = mean(scores([0.5] * 20))
    assert (found.low, found.value, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_items_of_one_root_are_resampled_together() -> None:
    rng = np.random.default_rng(2)
    values = np.repeat(rng.normal(0, 1, 50), 10)  # ten items say the same thing
    clustered, naive = mean(scores(values, per_root=10)), mean(scores(values))
    assert (clustered.high - clustered.low) / (naive.high - naive.low) == pytest.approx(math.sqrt(10), rel=0.15)


def test_the_same_seed_gives_the_same_numbers_in_any_order() -> None:
    rng = np.random.default_rng(3)
    forward = scores(rng.normal(size=60), rng.integers(1, 9, 60).astype(float))
    parts = (forward.items, forward.values, forward.weights, forward.roots)
    backward = Scores(*(list(reversed(part)) for part in parts))  # type: ignore[arg-type]
    assert mean(forward, seed=5) == mean(backward, seed=5)
    assert mean(forward, seed=5) != mean(forward, seed=6)
    assert paired(forward, backward, "lower").difference.value == 0


def covered(n: int, simulations: int, resamples: int) -> float:
    """Share of intervals that hold the true mean, of skewed losses weighted by length."""
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(simulations):
        weights = rng.integers(5, 100, n).astype(float)
        values = rng.gamma(4, 0.5, n)  # mean 2, skewness 1, independent of the weight
        found = mean(scores(values, weights), seed=int(rng.integers(1 << 30)), resamples=resamples)
        inside += found.low <= 2 <= found.high
    return inside / simulations


def test_intervals_cover_the_truth() -> None:
    assert 0.93 <= covered(64, 600, 400) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("n", [16, 64, 256])
def test_intervals_cover_the_truth_in_long_simulation(n: int) -> None:
    assert 0.93 <= covered(n, 2000, 2000) <= 0.97


def test_paired_sees_what_unpaired_cannot() -> None:
    rng = np.random.default_rng(5)
    hard = rng.normal(2, 1, 128)
    base, student = scores(hard), scores(hard - 0.1 + rng.normal(0, 0.1, 128))
    assert mean(base).low < mean(student).value
    found = paired(student, base, "lower")
    assert found.verdict == "better"
    assert found.difference.high < 0
    assert found.p == pytest.approx(1 / 10_001)
    assert found.a - found.b == pytest.approx(found.difference.value)


def test_direction_turns_the_verdict() -> None:
    rng = np.random.default_rng(6)
    low, high = scores(rng.normal(0, 1, 100)), scores(rng.normal(2, 1, 100))
    assert paired(high, low, "higher").verdict == "better"
    assert paired(low, high, "higher").verdict == "worse"
    assert paired(high, low, "lower").verdict == "worse"
    assert paired(low, high, "lower").verdict == "better"


def test_detectable_is_the_effect_with_eighty_percent_power() -> None:
    rng = np.random.default_rng(7)
    differences = rng.normal(0, 1, 200)
    found = paired(scores(differences), scores(np.zeros(200)), "higher")
    assert found.detectable == pytest.approx((1.95996 + 0.84162) * differences.std(ddof=1) / math.sqrt(200), rel=1e-4)


def test_a_significant_difference_under_the_detectable_one_is_not_told() -> None:
    rng = np.random.default_rng(8)
    noise = rng.normal(0, 1, 200)
    noise = (noise - noise.mean()) / noise.std(ddof=1)  # standard error exactly 1 / sqrt(200)
    found = paired(scores(noise + 2.4 / math.sqrt(200)), scores(np.zeros(200)), "higher")
    assert found.difference.low > 0
    assert found.p < 0.05
    assert found.difference.value < found.detectable
    assert found.verdict == "cannot tell"
    assert found.needed == math.ceil(200 * (2.8016 / 2.4) ** 2)


def test_five_roots_never_decide() -> None:
    found = paired(scores([1.0, 1.1, 0.9, 1.0, 1.05]), scores([0.0] * 5), "higher")
    assert found.difference.low > 0
    assert found.difference.value > found.detectable
    assert found.p == pytest.approx(2 / 32, rel=0.15)
    assert found.verdict == "cannot tell"


def test_equal_arms_cannot_be_told_apart() -> None:
    arm = scores([0.1, 0.9, 0.5, 0.4])
    found = paired(arm, arm, "higher")
    assert (found.difference.value, found.p, found.needed, found.verdict) == (0, 1, None, "cannot tell")


def test_p_is_uniform_when_arms_do_not_differ() -> None:
    rng = np.random.default_rng(9)
    ps = []
    for _ in range(400):
        hard, weights = rng.normal(2, 1, 40), rng.integers(5, 50, 40).astype(float)
        a, b = (scores(hard + rng.gamma(1, 0.5, 40), weights) for _ in range(2))
        ps.append(paired(a, b, "lower", resamples=200).p)
    assert 0.03 <= np.mean(np.array(ps) < 0.05) <= 0.07
    assert np.mean(ps) == pytest.approx(0.5, abs=0.04)


def test_p_is_that_of_every_label_swap_counted() -> None:
    a, b, weights = [0.9, 0.4, 0.8, 0.7, 0.6, 0.3, 0.9], [0.5, 0.5, 0.6, 0.2, 0.7, 0.1, 0.4], [3, 1, 4, 1, 5, 9, 2.0]
    change = np.array(weights) * (np.array(a) - np.array(b))
    signs = 1 - 2 * ((np.arange(128)[:, None] >> np.arange(7)) & 1)
    exact = float((np.abs(signs @ change) >= abs(change.sum()) - 1e-9).mean())
    assert paired(scores(a, weights), scores(b, weights), "higher", resamples=20_000).p == pytest.approx(
        exact, abs=0.01
    )


def test_only_shared_items_are_compared() -> None:
    a, b = scores([1.0, 2.0, 3.0, 100.0]), scores([1.0, 1.0, 1.0])
    found = paired(a, b, "higher")
    assert (found.a, found.b, found.difference.n) == (2.0, 1.0, 3)


def test_gap_recovered_of_a_known_example() -> None:
    rng = np.random.default_rng(10)
    hard = rng.normal(1.4, 0.3, 128)
    teacher, base = scores(hard), scores(hard + 1.2 + rng.normal(0, 0.2, 128))
    student = scores(hard + 0.6 + rng.normal(0, 0.2, 128))
    found = gap_recovered(teacher, base, student, "lower")
    assert found.value == pytest.approx(0.5, abs=0.03)
    assert found.low is not None and found.high is not None and found.value is not None
    assert found.low < found.value < found.high
    # The delta method: the variance of (s - b) - g (t - b), over the gap.
    s, b, t = (np.array(arm.values) for arm in (student, base, teacher))
    error = ((s - b) - found.value * (t - b)).std(ddof=1) / math.sqrt(128) / abs((t - b).mean())
    assert found.high - found.low == pytest.approx(2 * 1.97 * error, rel=0.06)
    assert (found.n, found.undefined) == (128, None)


@pytest.mark.parametrize(("shift", "expected"), [(1.5, -0.5), (-0.5, 1.5)])
def test_gap_recovered_is_not_clipped(shift: float, expected: float) -> None:
    rng = np.random.default_rng(11)
    hard = rng.normal(2, 1, 64)
    found = gap_recovered(scores(hard), scores(hard + 1), scores(hard + shift), "lower")
    assert found.value == pytest.approx(expected)


def test_gap_recovered_is_undefined_where_there_is_no_gap() -> None:
    rng = np.random.default_rng(12)
    teacher, base, student = (scores(rng.normal(2, 1, 64)) for _ in range(3))
    found = gap_recovered(teacher, base, student, "lower")
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.undefined == "teacher and base cannot be told apart on 64 items"


def test_gap_recovered_is_undefined_where_the_teacher_is_worse() -> None:
    hard = np.random.default_rng(13).normal(2, 1, 64)
    found = gap_recovered(scores(hard + 1), scores(hard), scores(hard + 0.5), "lower")
    assert found.undefined == "the teacher is worse than the base here"
    assert gap_recovered(scores(hard + 1), scores(hard), scores(hard + 0.5), "higher").value == pytest.approx(0.5)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(CompareError, match="item item000001"):
        scores([1.0, value])


def test_weights_items_and_emptiness_are_refused() -> None:
    with pytest.raises(CompareError, match="weight 0"):
        scores([1.0, 2.0], [1.0, 0.0])
    with pytest.raises(CompareError, match="twice"):
        Scores(["a", "a"], [1, 2], [1, 1], ["r", "s"])
    with pytest.raises(CompareError, match="no item"):
        scores([])


def test_one_prompt_has_no_interval() -> None:
    with pytest.raises(CompareError, match="2 items from 1 prompts") as error:
        mean(scores([1.0, 2.0], per_root=2))
    assert error.value.hint is not None and "held_out_prompts" in error.value.hint


def test_ties_and_few_prompts_leave_the_gap_undefined_instead_of_breaking() -> None:
    """chrF of a handful of answers, most of them the same in teacher and base."""
    base = [10.0] * 16
    teacher = [10.0] * 10 + [30.0, 28.0, 25.0, 40.0, 35.0, 22.0]
    student = [12.0] * 16
    found = gap_recovered(scores(teacher), scores(base), scores(student), "higher")
    assert found.undefined is not None
    few = gap_recovered(scores([3.0, 4.0]), scores([1.0, 1.9]), scores([2.0, 2.9]), "higher")
    assert few.undefined == "2 prompts are too few for a ratio of differences"
