"""Student's t against SciPy, and an interval of few training seeds."""

from __future__ import annotations

import pytest
import scipy.stats

from distill.statistics.intervals import spread, t_quantile, t_tail


@pytest.mark.parametrize("freedom", [1, 1.4, 2, 2.7, 5, 9, 30.5, 127, 9_999, 1e9])
@pytest.mark.parametrize("level", [0.55, 0.8, 0.9, 0.975, 0.999])
def test_quantiles_are_scipys(level: float, freedom: float) -> None:
    assert t_quantile(level, freedom) == pytest.approx(scipy.stats.t.ppf(level, freedom), rel=1e-6)
    assert t_quantile(1 - level, freedom) == pytest.approx(-t_quantile(level, freedom))


@pytest.mark.parametrize("freedom", [1, 2.5, 60, 1e5])
@pytest.mark.parametrize("t", [0.0, 0.3, 2.0, 5.0, 12.0])
def test_tails_are_scipys(t: float, freedom: float) -> None:
    assert t_tail(t, freedom) == pytest.approx(scipy.stats.t.sf(t, freedom), rel=1e-6, abs=1e-12)


def test_few_degrees_of_freedom_make_a_wide_interval() -> None:
    found = spread(1.0, 0.1, 2, 50)
    assert (found.value, found.n) == (1.0, 50)
    assert (found.low, found.high) == pytest.approx((1 - 0.43027, 1 + 0.43027), abs=1e-4)
