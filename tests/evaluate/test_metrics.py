"""Each metric against numbers worked out by hand or over the whole vocabulary."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.errors import CompareError
from distill.evaluate import metrics
from distill.evaluate.teacher import distribution
from distill.protocols import TokenScores
from distill.suites.heldout import HeldOutReal
from distill.suites.metrics import METRICS
from distill.suites.suite import Measure


def token_scores(logprobs: list[float], top: list[list[float]], best: list[int], tokens: list[int]) -> TokenScores:
    ids = np.tile(np.arange(len(top[0]), dtype=np.int32), (len(top), 1))
    return TokenScores(
        "item",
        np.array(tokens, dtype=np.int32),
        np.array(logprobs, dtype=np.float32),
        np.array(best, dtype=np.int32),
        ids,
        np.log(np.array(top)).astype(np.float32),
    )


def test_loss_is_nats_per_token_and_bits_per_byte_count_the_text() -> None:
    scores = token_scores([-1.0, -2.0, -3.0], [[0.5]] * 3, [0] * 3, [4, 5, 6])
    found = metrics.likelihood(scores, "né")
    assert found["loss"] == {"value": pytest.approx(2.0), "weight": 3}
    assert found["bits_per_byte"] == {"value": pytest.approx(6 / math.log(2) / 3), "weight": 3}


def test_an_empty_answer_has_a_loss_but_no_bits_per_byte() -> None:
    found = metrics.likelihood(token_scores([-1.5], [[0.5]], [0], [2]), "")
    assert list(found) == ["loss"]
    assert found["loss"] == {"value": 1.5, "weight": 1}


def test_agreement_and_kl_by_hand() -> None:
    teacher = token_scores([-1, -1], [[0.5, 0.25], [0.6, 0.3]], [0, 0], [7, 8])
    arm = token_scores([-1, -1], [[0.25, 0.25], [0.6, 0.3]], [1, 0], [7, 8])
    found = metrics.against(arm, distribution(teacher))
    assert found["agreement"] == {"value": 0.5, "weight": 2}
    expected = 0.5 * math.log(2) + 0.25 * math.log(0.25 / 0.5)  # the second position adds nothing
    assert found["kl"] == {"value": pytest.approx(expected / 2, rel=1e-5), "weight": 2}


def test_the_teacher_agrees_with_itself() -> None:
    teacher = token_scores([-1, -1], [[0.5, 0.25], [0.6, 0.3]], [3, 0], [7, 8])
    found = metrics.against(teacher, distribution(teacher))
    assert (found["agreement"]["value"], found["kl"]["value"]) == (1.0, 0.0)


@given(st.integers(0, 10_000), st.integers(1, 29))
def test_kl_is_never_more_than_that_over_the_whole_vocabulary_nor_below_zero(seed: int, k: int) -> None:
    p, q = np.random.default_rng(seed).dirichlet(np.ones(30), 2)
    top = np.argsort(-p)[None, :k]
    found = metrics.divergence(np.log(p)[top].astype(np.float32), np.log(q)[top].astype(np.float32))
    assert -1e-6 <= found[0] <= float((p * np.log(p / q)).sum()) + 1e-5


def test_kl_over_nearly_everything_is_the_whole_kl() -> None:
    p, q = np.random.default_rng(1).dirichlet(np.ones(30), 2)
    top = np.argsort(-p)[None, :29]
    found = metrics.divergence(np.log(p)[top].astype(np.float32), np.log(q)[top].astype(np.float32))
    assert found[0] == pytest.approx(float((p * np.log(p / q)).sum()), rel=1e-4)


def test_a_tail_that_rounding_made_negative_is_finite() -> None:
    full = np.log(np.array([[0.7, 0.3000001]], dtype=np.float32))
    assert metrics.divergence(full, full)[0] == pytest.approx(0, abs=1e-6)
    assert np.isfinite(metrics.divergence(np.log(np.array([[0.5, 0.2]], dtype=np.float32)), full)[0])


@pytest.mark.parametrize("tokens", [[7, 9], [7, 8, 9], [7]])
def test_other_tokens_than_the_teachers_are_refused(tokens: list[int]) -> None:
    teacher = distribution(token_scores([-1, -1], [[0.5, 0.25]] * 2, [0, 0], [7, 8]))
    n = len(tokens)
    with pytest.raises(CompareError, match="2 tokens to the teacher"):
        metrics.against(token_scores([-1.0] * n, [[0.5, 0.25]] * n, [0] * n, tokens), teacher)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_named(value: float) -> None:
    measures = {"loss": Measure(value=1.0, weight=3), "kl": Measure(value=value, weight=3)}
    assert metrics.not_finite(measures) == f"kl is {value}"
    assert metrics.not_finite({"loss": Measure(value=1.0, weight=3)}) is None


def test_every_metric_is_in_the_registry() -> None:
    teacher = token_scores([-1], [[0.5, 0.25]], [0], [7])
    taken = metrics.likelihood(teacher, "a") | metrics.against(teacher, distribution(teacher))
    assert {*taken, "chrf"} == set(HeldOutReal.METRICS) <= set(METRICS)
