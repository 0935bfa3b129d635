"""Exact McNemar and Wilson against SciPy, Newcombe against published tables and by counting every sample."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import scipy.stats

from distill.statistics.estimates import mean, paired
from distill.statistics.scores import Scores
from distill.statistics.shares import Table, mcnemar, newcombe, wilson


def answers(values: list[int], per_root: int = 1) -> Scores:
    items = [f"item{i:06d}" for i in range(len(values))]
    return Scores(items, values, [1.0] * len(values), [f"root{i // per_root:06d}" for i in range(len(values))])


def arms(table: Table) -> tuple[Scores, Scores]:
    a = [1] * table.both + [1] * table.a + [0] * table.b + [0] * table.neither
    b = [1] * table.both + [0] * table.a + [1] * table.b + [0] * table.neither
    return answers(a), answers(b)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (3, 7), (115, 164), (700, 1319)])
def test_wilson_is_scipys(right: int, n: int) -> None:
    for level in (0.9, 0.95):
        expected = scipy.stats.binomtest(right, n).proportion_ci(level, "wilson")
        assert wilson(right, n, level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_mcnemar_is_scipys_binomial_test() -> None:
    for a, b in product(range(12), range(12)):
        expected = scipy.stats.binomtest(a, a + b, 0.5).pvalue if a + b else 1.0
        assert mcnemar(Table(5, a, b, 5)) == pytest.approx(expected)
    assert mcnemar(Table(0, 400, 500, 0)) == pytest.approx(scipy.stats.binomtest(400, 900, 0.5).pvalue, rel=1e-9)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # Bentur 2009, in Fagerland, Lydersen and Laake 2014 (Statistics in Medicine 33:2850), table VIII.
        (Table(1, 1, 7, 12), (-0.507, -0.026)),
        # Altman et al. 2000, Statistics with Confidence, page 53.
        (Table(14, 5, 0, 22), (0.011, 0.226)),
        # Newcombe 1998, table II, method 10.
        (Table(36, 12, 2, 0), (0.0569, 0.3404)),
        (Table(54, 0, 0, 0), (-0.0664, 0.0664)),
    ],
)
def test_newcombe_is_as_published(table: Table, expected: tuple[float, float]) -> None:
    digits = 4 if abs(expected[0] * 1000) % 1 > 0.01 else 3
    assert tuple(round(end, digits) for end in newcombe(table)) == expected
    turned = newcombe(Table(table.both, table.b, table.a, table.neither))
    assert turned == pytest.approx((-newcombe(table)[1], -newcombe(table)[0]))


@pytest.mark.parametrize("shares", [(0.5, 0.15, 0.15, 0.2), (0.6, 0.2, 0.05, 0.15), (0.85, 0.05, 0.05, 0.05)])
def test_newcombe_covers_the_truth_over_all_samples(shares: tuple[float, float, float, float]) -> None:
    n, truth, covered = 24, shares[1] - shares[2], 0.0
    for a, b in product(range(n + 1), repeat=2):
        for both in range(n - a - b + 1):
            table = Table(both, a, b, n - a - b - both)
            low, high = newcombe(table)
            if low <= truth <= high:
                logs = (
                    count * math.log(share) - math.lgamma(count + 1) for count, share in zip(table, shares, strict=True)
                )
                covered += math.exp(math.lgamma(n + 1) + math.fsum(logs))
    assert covered >= 0.93  # and more where hardly any item is discordant


def test_right_and_wrong_on_independent_items_needs_no_bootstrap() -> None:
    table = Table(100, 40, 16, 44)
    a, b = arms(table)
    found = paired(a, b, "higher", right=True, resamples=1)
    assert (found.test, found.p) == ("mcnemar", pytest.approx(scipy.stats.binomtest(16, 56, 0.5).pvalue))
    assert (found.difference.low, found.difference.high) == pytest.approx(newcombe(table))
    assert (found.a, found.b, found.difference.value) == pytest.approx((0.7, 0.58, 0.12))
    assert found.verdict == "better" and paired(b, a, "higher", right=True).verdict == "worse"
    alone = mean(a, right=True, resamples=1)
    assert (alone.low, alone.high) == pytest.approx(wilson(140, 200))


def test_items_of_one_root_are_no_independent_coin_throws() -> None:
    """Ten questions on one passage that are answered alike: exact McNemar would count them as ten."""
    rng = np.random.default_rng(1)
    a, b = (answers(list(np.repeat(rng.random(30) < share, 10).astype(int)), per_root=10) for share in (0.7, 0.5))
    clustered = paired(a, b, "higher", right=True)
    naive = paired(answers(list(a.values)), answers(list(b.values)), "higher", right=True)  # type: ignore[arg-type]
    assert (clustered.test, naive.test) == ("swap", "mcnemar")
    assert clustered.p > 50 * naive.p and clustered.detectable == pytest.approx(
        naive.detectable * math.sqrt(10), rel=0.05
    )


def test_shares_that_are_neither_0_nor_1_are_graded() -> None:
    a, b = answers([1, 0, 1, 0, 1, 1]), answers([1, 0, 0, 0, 1, 1])
    assert paired(a, b, "higher", right=True).test == "mcnemar"
    half = Scores(a.items, [0.5, *a.values[1:]], a.weights, a.roots)
    assert paired(half, b, "higher", right=True).test == "swap"


@pytest.mark.parametrize(("n", "points"), [(164, 9.8), (541, 5.4), (1319, 3.4)])
def test_the_detectable_difference_is_the_closed_form(n: int, points: float) -> None:
    """(1.96 + 0.84) sqrt(discordant / n) at 20% discordant items and no difference."""
    discordant = round(0.2 * n / 2)
    rest = n - 2 * discordant
    a, b = arms(Table(rest // 2, discordant, discordant, rest - rest // 2))
    found = paired(a, b, "higher", right=True)
    assert 100 * found.detectable == pytest.approx(points, abs=0.12)
    assert found.detectable == pytest.approx(2.8016 * math.sqrt(2 * discordant / n / n), rel=0.004)
    assert found.verdict == "cannot tell"


def test_two_points_at_a_fifth_of_discordant_items_need_3917() -> None:
    a, b = arms(Table(4000, 1100, 900, 4000))
    assert paired(a, b, "higher", right=True).needed == pytest.approx(3917, abs=1)
    few = paired(*arms(Table(400, 110, 90, 400)), "higher", right=True)
    assert few.verdict == "cannot tell" and few.needed == pytest.approx(3917, abs=5)


def test_power_is_what_was_promised() -> None:
    """At the detectable difference, four in five samples have p below 0.05 by exact McNemar, or few less: it is careful."""
    rng, n = np.random.default_rng(2), 541
    difference = 2.8016 * math.sqrt(0.2 / n)
    shares = [0.4, 0.1 + difference / 2, 0.1 - difference / 2, 0.4]
    found = [mcnemar(Table(*map(int, counts))) < 0.05 for counts in rng.multinomial(n, shares, size=2000)]
    assert 0.74 <= np.mean(found) <= 0.84
