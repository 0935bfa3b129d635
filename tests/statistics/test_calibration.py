"""Expected calibration error against a plain loop, and an interval that holds a truth of nothing."""

from __future__ import annotations

import numpy as np
import pytest

from distill.errors import CompareError
from distill.statistics.calibration import BINS, Calibration, Choices, bins


def choices(confidence: list[float], right: list[float]) -> Choices:
    return Choices(confidence, right)


def drawn(count: int, over: float, seed: int = 0) -> Choices:
    """Right in (1 - over) of what it is sure of beyond a quarter."""
    rng = np.random.default_rng(seed)
    confidence = 0.25 + 0.75 * rng.beta(2, 1.5, count)
    return Choices(list(confidence), list((rng.random(count) < confidence - over * (confidence - 0.25)).astype(float)))


def roots(count: int) -> list[str]:
    return [f"r{index:05}" for index in range(count)]


def test_the_error_is_the_mean_distance_over_bins() -> None:
    arm = drawn(300, 0.3)
    expected = 0.0
    for low in range(BINS):
        held = [
            (sure, right)
            for sure, right in zip(arm.confidence, arm.right, strict=True)
            if low / BINS < sure <= (low + 1) / BINS
        ]
        if held:
            expected += abs(sum(sure for sure, _ in held) - sum(right for _, right in held)) / 300
    found = Calibration({"arm": arm}, roots(300)).of("arm")
    assert found.error.value == pytest.approx(expected)
    assert sum(one.n for one in found.bins) == 300
    assert found.accuracy == pytest.approx(np.mean(arm.right)) and found.confidence == pytest.approx(
        np.mean(arm.confidence)
    )
    assert all(one.low <= one.confidence <= one.high for one in found.bins)


def test_ends_of_bins() -> None:
    assert list(bins(np.array([0.0, 1e-9, 1 / 15, 0.0667, 0.999, 1.0]))) == [0, 0, 0, 1, 14, 14]


def test_of_a_calibrated_arm_the_interval_holds_nothing() -> None:
    """The error is never below what chance makes of it; percentiles of a bootstrap would lie above that again."""
    held = 0
    for seed in range(40):
        found = Calibration({"arm": drawn(300, 0.0, seed)}, roots(300), resamples=300).of("arm").error
        assert found.value > 0.02
        held += found.low == 0
    assert held >= 36


def test_an_overconfident_arm_is_told_from_a_calibrated_one() -> None:
    found = Calibration({"base": drawn(800, 0.0), "student": drawn(800, 0.6)}, roots(800), resamples=1000)
    assert found.of("student").error.low > found.of("base").error.high
    difference = found.difference("student", "base")
    assert difference.low > 0.1 and difference.value == pytest.approx(
        found.of("student").error.value - found.of("base").error.value
    )
    same = found.difference("base", "base")
    assert (same.low, same.value, same.high) == (0, 0, 0)


def test_sure_and_always_right_has_no_error() -> None:
    found = Calibration({"arm": choices([1.0] * 20, [1.0] * 20)}, roots(20)).of("arm")
    assert (found.error.low, found.error.value, found.error.high) == (0, 0, 0) and len(found.bins) == 1


def test_choices_of_one_prompt_are_resampled_together() -> None:
    arm = drawn(400, 0.3)
    alone = Calibration({"arm": arm}, roots(400), resamples=500).of("arm").error
    five = [f"r{index // 20}" for index in range(400)]
    assert Calibration({"arm": arm}, five, resamples=500).of("arm").error.value == alone.value
    with pytest.raises(CompareError, match="2 choices from 1 prompts"):
        Calibration({"arm": choices([0.5, 0.5], [1, 0])}, ["a", "a"])
