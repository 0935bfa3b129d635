"""The gate: a fall beyond its limit and beyond chance is an alarm, and nothing else is."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from distill.collapse.gate import Alarm, Limits, RealLoss, alarms
from distill.collapse.panel import KINDS, Number, Panel, panel
from tests.collapse.texts import texts


def made(measure: str, people: float, value: float, error: float) -> Panel:
    """A panel in which one measure of `mix` differs and all others are alike."""
    numbers = {kind: {"real": Number(1, 1, 1), "mix": Number(1, 1, 1)} for kind in KINDS}
    beside = {kind: {"mix": Number(0, 0, 0)} for kind in KINDS}
    numbers[measure] = {"real": Number(people, people, people), "mix": Number(value, value, value)}
    less = value - people
    beside[measure] = {"mix": Number(less, less - 1.96 * error, less + 1.96 * error)}
    return Panel("real", 100, 1000, numbers, beside, {"mix": 0.0})


def found(measure: str, people: float, value: float, error: float = 0.001, **limits: float | None) -> list[Alarm]:
    return list(alarms(made(measure, people, value, error), Limits(**limits)))


def test_a_fall_beyond_its_limit_is_an_alarm_with_its_numbers() -> None:
    (one,) = found("coverage", 0.8, 0.4, coverage=0.4)
    assert (one.measure, one.corpus, one.value, one.people, one.limit) == ("coverage", "mix", 0.4, 0.8, 0.4)
    assert one.interval == pytest.approx((-0.4 - 0.00196, -0.4 + 0.00196))
    assert "fell by 50%" in one.says and "more than 40%" in one.says and "mix" in one.says


@pytest.mark.parametrize("measure", sorted(KINDS))
def test_which_way_is_worse_follows_the_measure(measure: str) -> None:
    worse, better = (2.0, 0.1) if KINDS[measure].better == "lower" else (0.1, 2.0)
    assert [one.measure for one in found(measure, 1.0, worse, **{measure: 0.5})] == [measure]
    assert not found(measure, 1.0, better, **{measure: 0.5})
    assert not found(measure, 1.0, worse, **{measure: None})


def test_a_fall_within_its_limit_or_within_chance_is_none() -> None:
    assert not found("coverage", 0.8, 0.6, coverage=0.4)
    assert not found("coverage", 0.8, 0.4, error=0.15, coverage=0.4)


def test_people_that_have_none_of_it_are_no_division_by_zero() -> None:
    assert not found("dispersion", 0.0, 0.0)
    (one,) = found("self_repetition", 0.0, 1.0)
    assert "rose by 1.00" in one.says


def test_the_loss_on_real_text_is_looked_at_with_the_rows() -> None:
    rose = RealLoss(2.2, 2.0, Number(0.2, 0.1, 0.3))
    (one,) = alarms(None, Limits(), rose)
    assert (one.measure, one.corpus, one.value, one.people) == ("real_loss", "student", 2.2, 2.0)
    assert "10%" in one.says
    assert not alarms(None, Limits(), RealLoss(2.2, 2.0, Number(0.2, -0.1, 0.5)))
    assert not alarms(None, Limits(), RealLoss(2.01, 2.0, Number(0.01, 0.005, 0.015)))
    assert not alarms(None, Limits(real_loss=None), rose)


def test_a_panel_of_texts_raises_alarms_for_the_poor_alone() -> None:
    real = texts(300, 30, 1500)
    measured = panel({"real": real, "mix": texts(300, 30, 1500, 1), "teacher": texts(300, 30, 200, 2)}, "real")
    seen = alarms(measured, Limits())
    assert {one.corpus for one in seen} == {"teacher"}
    assert {"coverage", "entropy_1"} <= {one.measure for one in seen}


def test_a_limit_is_a_share_above_nothing() -> None:
    with pytest.raises(ValidationError):
        Limits(coverage=0)
    with pytest.raises(ValidationError):
        Limits.model_validate({"covrage": 0.2})


@pytest.mark.parametrize("measure", [name for name in Limits.model_fields if name in KINDS])
def test_a_limit_of_a_fall_is_a_share_and_no_percentage(measure: str) -> None:
    falls = KINDS[measure].better == "higher"
    assert getattr(Limits(**{measure: 1.0}), measure) == 1
    if not falls:
        assert getattr(Limits(**{measure: 60}), measure) == 60
        return
    with pytest.raises(ValidationError, match=r"60 is more than all of it; it is a share: 0\.6 for 60%, null for none"):
        Limits(**{measure: 60})
