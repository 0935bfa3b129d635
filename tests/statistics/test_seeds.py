"""Several training seeds: their mean, with an interval over seeds and roots."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from distill.statistics.panel import Panel
from distill.statistics.resample import seed_weights
from distill.statistics.scores import Scores

ITEMS = [f"i{index:03}" for index in range(100)]
HARD = np.random.default_rng(0).normal(2, 1, 100)


def scores(values: npt.NDArray[np.float64]) -> Scores:
    return Scores(ITEMS, list(values), [1.0] * len(values), ITEMS)


def students(shifts: list[float]) -> list[Scores]:
    rng = np.random.default_rng(1)
    return [scores(HARD + shift + rng.normal(0, 0.1, 100)) for shift in shifts]


def test_the_student_is_the_mean_of_its_seeds() -> None:
    panel = Panel({"student": students([-0.2, -0.3, -0.4]), "base": scores(HARD)})
    alone = panel.by_seed("student")
    assert panel.mean("student").value == pytest.approx(np.mean([one.value for one in alone]))
    assert [one.value for one in alone] == sorted((one.value for one in alone), reverse=True) and len(alone) == 3
    (pair,) = panel.paired([("student", "base")], "lower")
    assert pair.test == "seeds" and pair.difference.value == pytest.approx(pair.a - pair.b)


def test_the_error_is_that_of_seeds_and_of_items() -> None:
    """var / K over seeds and var / C over items, which is what resampling both comes to."""
    shifts = [-0.2, -0.5, -0.3, -0.6]
    base = scores(HARD + np.random.default_rng(2).normal(0, 0.2, 100))
    panel = Panel({"student": students(shifts), "base": base}, resamples=20_000)
    found = panel.difference("student", "base")
    per_seed = [np.array(one.values) - np.array(base.values) for one in students(shifts)]
    by_seeds = np.var([each.mean() for each in per_seed], ddof=1) / 4
    by_items = np.var(np.mean(per_seed, axis=0), ddof=1) / 100
    freedom = (by_seeds + by_items) ** 2 / (by_seeds**2 / 3 + by_items**2 / 99)
    assert 3 < freedom < 4  # nearly all of it is the seeds'
    from scipy.stats import t

    half = t.ppf(0.975, freedom) * math.sqrt(by_seeds + by_items)
    assert found.high - found.value == pytest.approx(half, rel=0.05)


def test_weights_of_drawn_seeds_have_the_variance_of_a_mean() -> None:
    weights = seed_weights(3, 0, 40_000)
    assert weights.sum(1) == pytest.approx(np.ones(40_000))
    values = np.array([1.0, 2.0, 6.0])
    assert np.var(weights @ values) == pytest.approx(np.var(values, ddof=1) / 3, rel=0.03)


def test_seeds_that_differ_as_much_as_the_gain_decide_nothing() -> None:
    steady = Panel({"student": students([-0.3, -0.31, -0.29]), "base": scores(HARD)})
    shaky = Panel({"student": students([-0.9, 0.2, -0.2]), "base": scores(HARD)})
    assert steady.paired([("student", "base")], "lower")[0].verdict == "better"
    (pair,) = shaky.paired([("student", "base")], "lower")
    assert pair.verdict == "cannot tell" and pair.p > 0.05
    assert pair.needed is None, "more items would not help"


def test_gap_and_retention_are_over_seeds_too() -> None:
    arms = {"teacher": scores(HARD), "base": scores(HARD + 1), "student": students([0.4, 0.5, 0.6])}
    many = Panel(arms).gap_recovered("teacher", "base", "student", "lower")
    one = Panel({**arms, "student": students([0.4, 0.5, 0.6])[1]}).gap_recovered("teacher", "base", "student", "lower")
    assert many.value == pytest.approx(0.5, abs=0.03)
    assert many.high is not None and many.low is not None and one.high is not None and one.low is not None
    assert many.high - many.low > 2 * (one.high - one.low)


def test_equal_seeds_are_no_reason_for_a_p_of_nothing() -> None:
    same = [scores(HARD)] * 3
    (pair,) = Panel({"student": same, "base": scores(HARD)}).paired([("student", "base")], "lower")
    assert (pair.p, pair.verdict, pair.needed) == (1.0, "cannot tell", None)
