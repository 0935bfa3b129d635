"""The share at which students are best, on curves that are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from distill.errors import CompareError
from distill.laboratory.record import Mixed, Sweep
from distill.laboratory.sweep import Fit, falls_and_rises, fit
from distill.laboratory.sweep_page import findings, headline, plot
from tests.laboratory import example

SHARES = (0.0, 0.2, 0.3, 0.5, 0.8, 1.0)


def bare(losses: dict[float, list[float]]) -> Sweep:
    """Without losses by item."""
    points = [
        Mixed(share=share, seed=seed, loss=loss, rows=10)
        for share, own in losses.items()
        for seed, loss in enumerate(own)
    ]
    return Sweep(name="bare", points=tuple(points))


def test_the_lowest_point_of_a_parabola_is_found() -> None:
    found = fit(bare({share: [2 + (share - 0.3) ** 2] * 2 for share in SHARES}))
    assert found.kind == "parabola" and found.best == pytest.approx(0.3, abs=0.01)
    assert found.ci95 == pytest.approx((0.3, 0.3), abs=0.01) and not found.flat


def test_the_interval_holds_the_true_share_as_often_as_it_says() -> None:
    rng, held, runs = np.random.default_rng(2), 0, 120
    for run in range(runs):
        best = rng.uniform(0.1, 0.9)
        losses = {share: [2 + 0.1 * (share - best) ** 2 + rng.normal(0, 0.01) for _ in range(3)] for share in SHARES}
        ci95 = fit(bare(losses), seed=run, resamples=300).ci95
        assert ci95 is not None
        held += ci95[0] - 0.005 <= best <= ci95[1] + 0.005
    assert 0.9 * runs <= held


def test_a_flat_curve_is_said_to_be_flat_as_often_as_it_should() -> None:
    rng, flat, runs = np.random.default_rng(3), 0, 120
    for run in range(runs):
        losses = {share: [2 + rng.normal(0, 0.01) for _ in range(3)] for share in SHARES}
        flat += fit(bare(losses), seed=run, resamples=300).flat
    assert 0.9 * runs <= flat
    assert "can be told from another" in headline(fit(example.sweep(SHARES, depth=0.0)))


def test_a_seed_that_does_the_same_to_all_shares_moves_none_of_them() -> None:
    losses = {share: [2 + (share - 0.3) ** 2 + shift for shift in (-0.5, 0.0, 0.4)] for share in SHARES}
    found = fit(bare(losses))
    assert found.ci95 == pytest.approx((0.3, 0.3), abs=0.01)


@pytest.mark.parametrize(
    ("best", "shares", "end", "said"),
    [
        (-0.5, SHARES, 0.0, "the least share of teacher rows tried: 0%"),
        (1.5, SHARES, 1.0, "the greatest share of teacher rows tried: 100%"),
        (1.5, SHARES[:-1], 0.8, "the greatest share of teacher rows tried: 80%"),
        (-0.5, SHARES[1:], 0.2, "the least share of teacher rows tried: 20%"),
    ],
)
def test_the_best_at_an_end_is_named_as_one(best: float, shares: tuple[float, ...], end: float, said: str) -> None:
    sweep = example.sweep(shares, best=best)
    found = fit(sweep)
    assert found.best == end and said in headline(found)
    beyond = any("than were tried may be better still" in line for line in findings(sweep, found))
    assert beyond == (0 < end < 1), "there is nothing beyond none and all"


def test_what_is_no_parabola_may_fall_and_rise_in_any_way() -> None:
    """Nothing is lost up to a half, and much beyond it."""
    losses = {0.0: 2.05, 0.2: 2.02, 0.3: 2.0, 0.5: 2.02, 0.8: 2.04, 1.0: 2.9}
    rng = np.random.default_rng(4)
    found = fit(bare({share: [loss + rng.normal(0, 0.004) for _ in range(3)] for share, loss in losses.items()}))
    assert found.kind == "falls and rises" and found.p_kind is not None and found.p_kind < 0.05
    assert found.best == pytest.approx(0.3) and found.ci95 is not None and found.ci95[0] <= 0.3 <= found.ci95[1]


def test_falling_and_rising_is_the_nearest_of_all() -> None:
    """Against all ways to pool neighbours: the nearest is one of them."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        values = rng.integers(0, 6, size=6) / 5
        least = float("inf")
        for cuts in itertools.product((False, True), repeat=5):
            places = np.cumsum([0, *cuts])
            pooled = np.array([values[places == place].mean() for place in places])
            steps = np.sign(np.diff(pooled))
            if all(not (one > 0 and other < 0) for one, other in itertools.combinations(steps, 2)):
                least = min(least, float(np.square(values - pooled).sum()))
        found = falls_and_rises(values)
        assert float(np.square(values - found).sum()) == pytest.approx(least, abs=1e-12)


def test_items_are_drawn_anew_where_they_are_known() -> None:
    sweep = example.sweep(SHARES)
    found = fit(sweep)
    assert found.over == "seeds and items" and found.ci95 is not None and found.ci95[0] <= 0.3 <= found.ci95[1]
    alone = fit(example.sweep(SHARES, seeds=(0,)))
    assert alone.over == "items" and alone.ci95 is not None
    # What all shares have in common, hard items and easy ones, is in no interval.
    assert all(one.ci95 is not None and one.ci95[1] - one.ci95[0] < 0.06 for one in found.tried)


def test_one_seed_without_items_says_that_nothing_is_sure() -> None:
    found = fit(bare({0.0: [2.1], 0.5: [2.0], 1.0: [2.2]}))
    assert found.over == "nothing" and found.ci95 is None and found.flat
    assert "one seed cannot say" in headline(found)


def test_two_shares_have_a_line_and_one_has_none() -> None:
    found = fit(bare({0.0: [2.1, 2.11], 1.0: [2.0, 2.01]}))
    assert found.kind == "line" and found.best == 1.0
    with pytest.raises(CompareError, match="a curve needs two"):
        fit(bare({0.5: [2.0, 2.1]}))


def test_two_shares_have_a_difference_and_no_best() -> None:
    found = fit(bare({0.0: [2.1, 2.11], 1.0: [2.0, 2.01]}))
    assert headline(found) == (
        "At 100% teacher rows the real loss is lower than at 0%, by 0.100 [0.100, 0.100] nats per token."
    )
    two, three = example.sweep((0.0, 1.0)), example.sweep((0.0, 0.3, 1.0))
    said = " ".join([headline(fit(two)), *findings(two, fit(two))])
    assert "best at" not in said and "three or more" in said and "curve" not in said
    assert "best share" not in plot(two, fit(two)) and "best share" in plot(three, fit(three))
    alike = example.sweep((0.0, 1.0), depth=0.0)
    assert "0% and 100% teacher rows cannot be told apart" in headline(fit(alike))
    alone = headline(fit(bare({0.0: [2.1], 1.0: [2.0]})))
    assert alone.endswith("by 0.100 nats per token; how sure that is, one seed cannot say.")


def test_a_share_without_a_seed_is_no_trouble() -> None:
    losses = {share: [2 + (share - 0.3) ** 2 + 0.001 * seed for seed in range(3)] for share in SHARES}
    losses[0.5] = losses[0.5][:1]
    found = fit(bare(losses))
    assert found.best == pytest.approx(0.3, abs=0.02) and found.tried[3].seeds == 1


def test_students_of_unequal_budgets_are_named() -> None:
    sweep = example.sweep(SHARES)
    uneven = sweep.model_copy(
        update={"points": tuple(one.model_copy(update={"rows": int(500 + 500 * one.share)}) for one in sweep.points)}
    )
    said = " ".join(findings(uneven, fit(uneven)))
    assert "not trained on as many rows" in said
    assert "not trained on as many rows" not in " ".join(findings(sweep, fit(sweep)))


def test_the_same_sweep_has_the_same_fit() -> None:
    sweep = example.sweep(SHARES)
    turned = sweep.model_copy(update={"points": sweep.points[::-1]})
    one, other = fit(sweep), fit(turned)
    assert isinstance(one, Fit) and one.ci95 == other.ci95 and one.best == other.best
