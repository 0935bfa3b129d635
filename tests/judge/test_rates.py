"""Win rates: against closed forms, against another solver, and by how often an interval holds the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from distill.judge import rates
from distill.statistics.scores import Interval


def names(count: int, each: int = 1) -> list[str]:
    return [str(place // each) for place in range(count)]


def test_a_share_is_a_mean_and_its_interval_is_that_of_agresti_and_coull() -> None:
    outcomes = [1.0] * 60 + [0.0] * 40
    found = rates.share(outcomes, names(100))
    assert found.interval.value == 0.6 and found.interval.n == 100
    middle = 62 / 104
    error = math.sqrt(middle * (1 - middle) / 103)
    assert found.error == pytest.approx(error, rel=1e-9)
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (middle - 1.95996 * error, middle + 1.95996 * error), abs=1e-5
    )


def test_a_share_of_nothing_or_all_has_an_interval_within_its_bounds() -> None:
    for value in (0.0, 1.0):
        interval = rates.share([value] * 6, names(6)).interval
        assert 0 <= interval.low <= value <= interval.high <= 1
        assert interval.high - interval.low > 0.3, "six items show little"
    assert rates.share([1.0], ["a"]).interval.low < 0.5


def test_copies_of_an_item_are_no_evidence() -> None:
    outcomes = np.random.default_rng(0).integers(0, 2, 50).astype(float)
    alone, copies = rates.share(outcomes, names(50)), rates.share(np.repeat(outcomes, 4), names(200, 4))
    assert copies.error == pytest.approx(alone.error, rel=0.1) and copies.interval.n == 200


def test_ties_make_the_interval_narrower_than_wins_and_losses() -> None:
    tied, split = rates.share([0.5] * 80, names(80)), rates.share([0.0, 1.0] * 40, names(80))
    assert tied.interval.value == split.interval.value == 0.5
    assert tied.error < split.error / 2


def test_what_is_needed_is_what_would_have_been_enough() -> None:
    found = rates.share([1.0] * 55 + [0.0] * 45, names(100))
    assert found.needed is not None and found.detectable > 0.05
    more = rates.share(
        [1.0] * 11 * (found.needed // 20) + [0.0] * 9 * (found.needed // 20), names(found.needed // 20 * 20)
    )
    assert more.detectable == pytest.approx(0.05, rel=0.05)
    assert rates.share([0.5, 0.5], names(2)).needed is None


def drawn(rng: np.random.Generator, items: int, win: float, length: float, longer: float, tie: float = 0.0):
    """Outcomes of a judge with a taste for length, and differences of which a is the longer by `longer` deviations."""
    apart = rng.normal(longer, 1, items) * 200
    logit = math.log(win / (1 - win)) + length * np.tanh(apart / apart.std())
    outcomes = (rng.random(items) < 1 / (1 + np.exp(-logit))).astype(float)
    outcomes[rng.random(items) < tie] = 0.5
    return outcomes, apart


def test_the_regression_is_that_of_another_solver() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    outcomes, apart = drawn(np.random.default_rng(1), 150, 0.4, 2.0, 0.5, tie=0.2)
    x = np.tanh(apart / apart.std())

    def loss(at: np.ndarray) -> float:
        logit = at[0] + at[1] * x
        prior = (at @ at) / (2 * rates.PRIOR**2)
        return float((np.logaddexp(0, logit) - outcomes * logit).sum() + prior)

    expected = optimize.minimize(loss, np.zeros(2), method="BFGS", options={"gtol": 1e-8}).x
    found = rates.at_equal_length(outcomes, apart, names(150))
    assert isinstance(found, Interval)
    assert found.value == pytest.approx(1 / (1 + math.exp(-expected[0])), abs=1e-6)


def test_a_taste_for_length_is_taken_out() -> None:
    outcomes, apart = drawn(np.random.default_rng(2), 400, 0.5, 4.0, 1.0)
    plain, level = rates.share(outcomes, names(400)).interval, rates.at_equal_length(outcomes, apart, names(400))
    assert isinstance(level, Interval)
    assert plain.low > 0.7, "it looks better only because it is longer"
    assert level.low < 0.5 < level.high


def test_without_a_taste_for_length_nothing_is_taken_out() -> None:
    outcomes, apart = drawn(np.random.default_rng(3), 400, 0.7, 0.0, 1.0)
    plain, level = rates.share(outcomes, names(400)).interval, rates.at_equal_length(outcomes, apart, names(400))
    assert isinstance(level, Interval) and level.value == pytest.approx(plain.value, abs=0.06)


def test_one_arm_that_is_always_longer_cannot_be_told_from_length() -> None:
    outcomes, apart = drawn(np.random.default_rng(4), 50, 0.5, 1.0, 0.0)
    assert rates.at_equal_length(outcomes, np.abs(apart) + 1, names(50)) == (
        "the answers of a are the longer ones in all but 2 items at most"
    )
    assert "of b" in str(rates.at_equal_length(outcomes, -np.abs(apart) - 1, names(50)))


def test_equal_lengths_and_decided_pairs_come_to_an_end() -> None:
    equal = rates.at_equal_length([1.0] * 30, [0.0] * 30, names(30))
    assert isinstance(equal, Interval) and 0.9 < equal.value < 1 and equal.low < equal.value <= equal.high
    apart = [float(place - 15) for place in range(31)]
    parted = rates.at_equal_length([float(one > 0) for one in apart], apart, names(31))
    assert isinstance(parted, Interval) and parted.low < 0.5 < parted.high and parted.high - parted.low < 1


@pytest.mark.parametrize(
    ("items", "win", "tie", "each"), [(40, 0.5, 0.0, 1), (100, 0.05, 0.3, 1), (100, 0.6, 0.5, 1), (200, 0.6, 0.2, 4)]
)
def test_the_interval_of_a_share_holds_the_truth(items: int, win: float, tie: float, each: int) -> None:
    rng = np.random.default_rng(5)
    truth = (1 - tie) * win + tie / 2
    held = 0
    for _ in range(1000):
        chance = rng.beta(win * 4, (1 - win) * 4, items // each).repeat(each) if each > 1 else np.full(items, win)
        outcomes = (rng.random(items) < chance).astype(float)
        outcomes[rng.random(items) < tie] = 0.5
        interval = rates.share(outcomes, names(items, each)).interval
        held += interval.low <= truth <= interval.high
    assert 930 <= held <= 975, held


@pytest.mark.parametrize(("items", "win", "length", "longer"), [(80, 0.5, 1.0, 0.5), (150, 0.65, 3.0, 1.0)])
def test_the_interval_at_equal_length_holds_the_truth(items: int, win: float, length: float, longer: float) -> None:
    rng = np.random.default_rng(6)
    held = 0
    for _ in range(600):
        outcomes, apart = drawn(rng, items, win, length, longer)
        found = rates.at_equal_length(outcomes, apart, names(items))
        assert isinstance(found, Interval)
        held += found.low <= win <= found.high
    assert 0.93 * 600 <= held <= 0.98 * 600, held
