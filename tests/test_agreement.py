"""Agreement of marks: against what the textbooks say, with intervals that follow the questions."""

from __future__ import annotations

import numpy as np
import pytest

from distill.agreement import accuracy, agreement, kappa, spearman
from distill.errors import CompareError


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def test_kappa_is_what_is_left_beyond_chance() -> None:
    # 20 agree on yes, 15 on no, 5 and 10 do not: 0.7 seen, 0.5 by chance (Cohen's kappa 0.4).
    a = column(*[1] * 25, *[0] * 25)
    b = column(*[1] * 20, *[0] * 5, *[1] * 10, *[0] * 15)
    assert accuracy(a, b) == 0.7 and kappa(a, b) == pytest.approx(0.4)
    assert kappa(a, a) == 1 and kappa(a, 1 - a) == -1
    assert kappa(column(1, 1), column(1, 1)) == 0 and kappa(a, np.ones(50)) == 0


def test_spearman_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.integers(1, 6, 40).astype(float), rng.normal(size=40)
        assert spearman(a, b) == pytest.approx(float(stats.spearmanr(a, b).statistic))
    assert spearman(a, a**3) == pytest.approx(1) and spearman(a, -a) == pytest.approx(-1)
    assert spearman(a, np.ones(40)) == 0


def test_an_interval_follows_the_questions_and_not_the_answers() -> None:
    rng = np.random.default_rng(1)
    a = rng.integers(0, 2, 60).astype(float)
    b = np.where(rng.random(60) < 0.75, a, 1 - a)
    apart = agreement(accuracy, a, b, [str(n) for n in range(60)])
    copies = agreement(accuracy, np.repeat(a, 4), np.repeat(b, 4), [str(n // 4) for n in range(240)])
    assert apart.low < apart.value < apart.high and apart.n == 60
    assert (copies.value, copies.n) == (apart.value, 240)
    assert copies.high - copies.low == pytest.approx(apart.high - apart.low, rel=0.1), "copies are no evidence"
    assert agreement(accuracy, a, b, [str(n) for n in range(60)]) == apart


def test_one_question_has_no_interval() -> None:
    with pytest.raises(CompareError, match="2 answers to 1 questions"):
        agreement(accuracy, [1, 0], [1, 1], ["a", "a"])
