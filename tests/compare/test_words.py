"""The headline claims no more than the intervals show."""

from __future__ import annotations

from typing import Any

import pytest

from distill.compare import words
from distill.compare.report import Metric, Pair, Recovered, Score

NAME = "heldout_teacher.loss"


def metric(gap: Recovered, verdict: str = "better", **changed: Any) -> Metric:
    pair = Pair(
        a="student",
        b="base",
        difference=-0.58,
        ci95=(-0.7, -0.4),
        p=0.001,
        detectable=0.1,
        needed=4,
        verdict=verdict,
        n=128,
    )
    value: dict[str, Any] = {
        "direction": "lower", "unit": "nats/token", "meaning": "", "primary": True, "items": "0", "left_out": 0,
        "arms": {"student": Score(mean=2.0, ci95=(1.9, 2.1), n=128)}, "paired": (pair,), "gap_recovered": gap,
        "checkpoints": {},
    }  # fmt: skip
    return Metric(**{**value, **changed})


def gap(value: float, low: float, high: float) -> Recovered:
    return Recovered(value=value, ci95=(low, high), undefined=None)


def test_recovery_with_its_interval() -> None:
    expected = "The student recovered 58% [51, 65] of the gap between base and teacher in heldout_teacher.loss."
    assert words.headline(NAME, metric(gap(0.58, 0.51, 0.65))) == expected


def test_interval_that_includes_zero_shows_nothing() -> None:
    said = words.headline(NAME, metric(gap(0.04, -0.03, 0.11)))
    assert said.startswith("No recovery shown") and "4% [−3, 11]" in said and "includes 0" in said


def test_a_student_that_got_worse_is_said_to_be() -> None:
    said = words.headline(NAME, metric(gap(-0.2, -0.3, -0.1)))
    assert "fell further behind" in said and "−20% [−30, −10]" in said


def test_a_difference_below_what_the_items_detect_is_not_relied_on() -> None:
    said = words.headline(NAME, metric(gap(0.1, 0.02, 0.2), verdict="cannot tell"))
    assert "128 items are too few" in said


def test_undefined_gap_says_why_and_what_can_be_said_instead() -> None:
    undefined = Recovered(value=None, ci95=None, undefined="teacher and base cannot be told apart on 128 items")
    said = words.headline(NAME, metric(undefined))
    assert "undefined: teacher and base cannot be told apart on 128 items." in said
    assert "The student is better than the base by −0.580 [−0.700, −0.400] nats/token (128 items)." in said
    said = words.headline(NAME, metric(undefined, verdict="cannot tell"))
    assert "Student and base cannot be told apart" in said
    assert words.headline(NAME, metric(undefined, paired=())).endswith("128 items.")


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [(2.0214, "", "2.021"), (-0.5, "", "−0.500"), (-0.0001, "", "0.000"), (38.44, "0-100", "38.4")],
)
def test_numbers(value: float, unit: str, expected: str) -> None:
    assert words.number(value, unit) == expected


def test_other_quantities() -> None:
    assert words.percent(-0.004) == "0%" and words.percent(1.2) == "120%"
    assert words.signed(0.25) == "+0.250" and words.signed(0) == "0.000"
    assert words.p_value(0.0001) == "< 0.001" and words.p_value(0.0421) == "0.042"
    assert [words.seconds(value) for value in (3.21, 245, 7620)] == ["3.2 s", "4 min 05 s", "2 h 07 min"]
    assert [words.size(value) for value in (310_000_000, 3_100_000_000)] == ["310 MB", "3.10 GB"]


def test_where_no_two_answers_differ_nothing_is_said_to_be_detectable() -> None:
    pair = Pair(
        a="student", b="base", difference=0, ci95=(0, 0), p=1, detectable=0, needed=None, verdict="cannot tell", n=12
    )
    assert words.detectable(pair, "share") == "–"
    assert words.detectable(pair.model_copy(update={"detectable": 0.25}), "share") == "0.250"


def test_an_interval_that_is_not_even_is_shown_with_its_ends() -> None:
    assert words.with_ends(Score(mean=0.5, ci95=(0.4, 0.6), n=9), "share") == "0.500 ± 0.100"
    assert words.with_ends(Score(mean=0.0, ci95=(0.0, 0.324), n=8), "share") == "0.000 [0.000, 0.324]"
