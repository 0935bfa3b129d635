"""Non-inferiority: what is not shown to be lost is not yet shown to be kept."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
import yaml
from pydantic import ValidationError

from distill.evaluate.settings import Evaluate
from distill.statistics.forgetting import Change, Forgetting, change
from distill.statistics.panel import Panel
from distill.statistics.scores import Direction, Scores
from distill.statistics.shares import Table, newcombe

Array = npt.NDArray[np.float64]


def scores(values: Array) -> Scores:
    items = [f"i{index:05}" for index in range(len(values))]
    return Scores(items, list(values), [1.0] * len(values), items)


def tell(
    student: Array, base: Array, margin: float, direction: Direction = "higher", right: bool = False, **more: bool
) -> Change:
    panel = Panel({"student": scores(student), "base": scores(base)}, right=right)
    return change(panel, "student", "base", direction, Forgetting(metrics=("s.m",), margin=margin, **more))


NOISE = np.random.default_rng(3).normal(0, 1, 400)
NOISE = (NOISE - NOISE.mean()) / NOISE.std(ddof=1)  # of 400 items the standard error is exactly 0.05
BASE = np.full(400, 2.0)


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.0, "not worse"), (-0.1, "not worse"), (-0.15, "cannot tell"), (-0.25, "cannot tell"), (-0.3, "worse")]
)  # fmt: skip
def test_the_bound_must_clear_the_margin(shift: float, verdict: str) -> None:
    assert tell(BASE + shift + NOISE, BASE, margin=0.2).verdict == verdict


def test_of_a_loss_less_is_better() -> None:
    found = tell(BASE - 0.3 + NOISE, BASE, margin=0.2, direction="lower")
    assert found.verdict == "not worse" and found.gain.value == pytest.approx(0.3)
    assert tell(BASE + 0.3 + NOISE, BASE, margin=0.2, direction="lower").verdict == "worse"


def test_the_bounds_are_one_sided_t_bounds() -> None:
    found = tell(BASE - 0.05 + NOISE, BASE, margin=0.2)
    reach = scipy.stats.t.ppf(0.95, 399) * 0.05
    assert (found.gain.low, found.gain.high) == pytest.approx((-0.05 - reach, -0.05 + reach), abs=0.004)


def test_right_and_wrong_have_newcombes_bounds() -> None:
    table = Table(200, 30, 34, 136)
    student = np.array([1.0] * 230 + [0.0] * 170)
    base = np.array([1.0] * 200 + [0.0] * 30 + [1.0] * 34 + [0.0] * 136)
    found = tell(student, base, margin=0.05, right=True)
    assert (found.gain.low, found.gain.high) == pytest.approx(newcombe(table, 0.9))
    assert found.verdict == "not worse" and found.margin == 0.05


def test_a_margin_may_be_a_share_of_what_the_base_had() -> None:
    noisy = BASE + 10 * NOISE / 20
    found = tell(noisy - 0.1 + NOISE / 20, noisy, margin=0.1, relative=True)
    assert found.margin == pytest.approx(0.2) and found.verdict == "not worse"
    assert tell(noisy - 0.5 + NOISE / 20, noisy, margin=0.1, relative=True).verdict == "worse"
    assert tell(BASE + 0.15 + NOISE, BASE, 0.1, "lower", relative=True).verdict == "cannot tell"


def test_the_items_needed_are_those_of_the_closed_form() -> None:
    found = tell(BASE - 0.15 + NOISE, BASE, margin=0.2)
    assert found.needed == pytest.approx(((1.645 + 0.8416) * 1.0 / 0.05) ** 2, rel=0.03)
    enough = np.random.default_rng(4).normal(-0.15, 1, (1500, 2473))
    bounds = enough.mean(1) - 1.645 * enough.std(1, ddof=1) / math.sqrt(2473)
    assert (bounds > -0.2).mean() == pytest.approx(0.8, abs=0.04)


def test_on_the_margin_it_is_shown_in_a_twentieth_of_cases() -> None:
    rng = np.random.default_rng(5)
    shown = [tell(BASE - 0.2 + rng.normal(0, 1, 400), BASE, margin=0.2).verdict == "not worse" for _ in range(40)]
    assert sum(shown) <= 7


def test_the_recipe_on_the_page_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    asked = Evaluate.model_validate(yaml.safe_load(block)["evaluate"]).forgetting
    assert asked is not None and asked.margin == 0.05 and not asked.relative


def test_a_margin_of_nothing_and_a_metric_without_a_suite_are_refused() -> None:
    for wrong in ({"margin": 0}, {"metrics": ["accuracy"]}, {"metrics": []}, {"margins": 1}):
        with pytest.raises(ValidationError):
            Forgetting.model_validate({"metrics": ["a.b"], "margin": 0.1, **wrong})
