"""Plots show the numbers they are given, inside their frame."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from distill.compare import plots
from distill.compare.report import Data, Metric, Point, Recovered, Score
from distill.compare.svg import Scale, round_step

NONE = Recovered(value=None, ci95=None, undefined="why")
DATA = Data(
    requested=300, kept=240, dropped={"a.b": 50, "c.<d>": 5}, failed=4, missing=1, real=80, real_fraction=0.25,
    train_rows=320, heldout_rows=99, real_dropped={},
)  # fmt: skip


def metric(gap: Recovered = NONE, **means: float) -> Metric:
    return Metric(
        direction="lower", unit="nats/token", meaning="", primary=True, items="0", left_out=0,
        arms={arm: Score(mean=mean, ci95=(mean - 0.1, mean + 0.1), n=9) for arm, mean in means.items()},
        paired=(), gap_recovered=gap, checkpoints={},
    )  # fmt: skip


def percents(figure: str) -> list[float]:
    return [float(value) for value in re.findall(r'(?:x|x1|x2|cx)="([-\d.]+)%"', figure)]


ALL = {
    "hero": plots.hero(
        "m", metric(Recovered(value=1.4, ci95=(-0.2, 2.9), undefined=None), teacher=1, base=2, student=0.6)
    ),
    "arms": plots.arms("m<x>", metric(teacher=1.0, base=2.0)),
    "gaps": plots.gaps("g", "t", {"a<b": Recovered(value=-0.5, ci95=(-0.9, -0.1), undefined=None), "c": NONE}),
    "training": plots.training("train", [Point(step=step, loss=3 / step) for step in range(1, 30)]),
    "drops": plots.drops(DATA.dropped),
    "flow": plots.flow(DATA),
}


@pytest.mark.parametrize("name", ALL)
def test_figure_is_well_formed_inside_its_frame_and_says_what_it_shows(name: str) -> None:
    root = ET.fromstring(ALL[name])  # would fail on unescaped text
    assert root.attrib["role"] == "img"
    assert [child.tag for child in root][:2] == ["title", "desc"] and root[0].text and root[1].text
    assert percents(ALL[name]) and all(0 <= value <= 100 for value in percents(ALL[name]))


def test_means_lie_in_order_on_the_scale() -> None:
    marks = re.findall(r'<svg x="([\d.]+)%"', plots.arms("m", metric(teacher=1.0, base=3.0, student=2.0)))
    teacher, base, student = map(float, marks)
    assert teacher < student < base and student == pytest.approx((teacher + base) / 2, abs=0.1)


def test_bars_are_in_proportion() -> None:
    widths = [float(width) for width in re.findall(r'class="flow-dropped"[^>]* width="([\d.]+)%"', ALL["drops"])]
    assert widths == [100, 10]


def test_no_road_is_drawn_where_there_is_no_gap() -> None:
    assert plots.hero("m", metric(NONE, teacher=1.0, base=1.0)) == ""


def test_a_run_of_one_step_and_equal_means_still_have_a_scale() -> None:
    ET.fromstring(plots.training("train", [Point(step=1, loss=2.0)]))
    ET.fromstring(plots.arms("m", metric(teacher=0.0)))


@pytest.mark.parametrize("values", [(0, 1), (1.37, 2.71), (-0.002, 0.004), (30, 31), (1e6, 9e6)])
def test_ticks_are_few_and_round(values: tuple[float, float]) -> None:
    scale = Scale(values)
    assert 2 <= len(scale.ticks()) <= 7
    assert all(scale.low <= tick <= scale.high for tick in scale.ticks())


def test_round_steps() -> None:
    assert [round_step(rough) for rough in (0.3, 1, 1.1, 2.4, 7)] == [0.5, 1, 2, 5, 10]


def test_the_loss_on_real_rows_is_a_second_curve_and_what_is_kept_is_marked() -> None:
    points = [
        Point(
            step=step,
            loss=3 / step if step else None,
            real_loss=4 - step / 9 if step % 3 == 0 else None,
            kept=step == 6,
        )
        for step in range(10)
    ]
    drawn = plots.training("train", points)
    ET.fromstring(drawn)
    assert drawn.count("<polyline") == 2 and drawn.count('class="spot real"') == 4
    assert drawn.count('class="kept"') == 1 and "kept: step 6" in drawn
    assert "On real rows from 4.000 to 3.000; step 6 is kept." in drawn
    bare = plots.training("train", [Point(step=1, loss=2.0), Point(step=2, loss=1.0)])
    assert bare.count("<polyline") == 1 and "real rows" not in bare and "kept" not in bare
