"""The loop of generations where the answer is known: closed forms, exact chains, and what the literature found."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from distill.laboratory.expected import counts, squares
from distill.laboratory.keeping import KEEPS, Keep, kept, portions
from distill.laboratory.simulation import Student, entropy, sharpened, simulate, zipf

ROWS, GENERATIONS, RUNS = 60, 6, 600
TRUTH = zipf(12, 1.0)
SQUARES = float(TRUTH @ TRUTH)


@cache
def _runs(keep: Keep, fraction: float) -> list[list[Student]]:
    return [
        simulate(TRUTH, ROWS, keep, GENERATIONS, real_fraction=fraction, seed=1000 * run + 7) for run in range(RUNS)
    ]


def test_replaced_rows_lose_what_the_closed_form_says() -> None:
    found = squares(SQUARES, ROWS, "replace", GENERATIONS)
    wanted = [1 - (1 - 1 / ROWS) ** (generation + 1) * (1 - SQUARES) for generation in range(GENERATIONS + 1)]
    assert found == pytest.approx(wanted, rel=1e-12)


def test_accumulated_rows_stop_losing() -> None:
    found = squares(SQUARES, ROWS, "accumulate", 400)
    wanted = [
        1 - (1 - SQUARES) * math.prod(1 - 1 / (ROWS * (one + 1) ** 2) for one in range(generation + 1))
        for generation in range(401)
    ]
    assert found == pytest.approx(wanted, rel=1e-12)
    assert (1 - found[-1]) / (1 - SQUARES) == pytest.approx(math.exp(-(math.pi**2) / 6 / ROWS), rel=1e-3)


def test_a_real_fraction_settles_where_its_fixed_point_is() -> None:
    """Where rows are many."""
    rows, share = 100_000, 0.1
    settled = squares(SQUARES, rows, "replace", 200, share)
    people = squares(SQUARES, rows, "replace", 0)[0]
    lost = (settled[-1] - people) * rows / (1 - people)
    again = 1 - (1 - share) ** 2
    assert lost == pytest.approx((1 - share**2) / again, rel=1e-3)
    assert settled[-1] == pytest.approx(settled[100], rel=1e-9)


@pytest.mark.parametrize("keep", KEEPS)
@pytest.mark.parametrize("fraction", [0.0, 0.2])
def test_the_simulation_is_as_expected(keep: Keep, fraction: float) -> None:
    runs = _runs(keep, fraction)
    wanted = squares(SQUARES, ROWS, keep, GENERATIONS, fraction)
    for generation in range(GENERATIONS + 1):
        found = [students[generation].squares for students in runs]
        error = np.std(found) / math.sqrt(RUNS)
        assert abs(np.mean(found) - wanted[generation]) < 4 * error


@pytest.mark.parametrize("fraction", [0.0, 0.2])
def test_types_are_lost_as_often_as_their_chain_says(fraction: float) -> None:
    runs = _runs("replace", fraction)
    for kind in (0, 5, 11):
        chain = counts(float(TRUTH[kind]), ROWS, GENERATIONS, fraction)
        assert chain.sum(1) == pytest.approx(1)
        for generation in (0, 1, 3, 6):
            found = np.mean([students[generation].learnt[kind] == 0 for students in runs])
            chance = float(chain[generation, 0])
            assert abs(found - chance) <= 4 * math.sqrt(chance * (1 - chance) / RUNS) + 1e-9


def test_total_collapse_is_as_likely_as_the_chain_says() -> None:
    """The mean of a type's share never moves, and in the end one type is all: each with the chance of its share."""
    truth, rows, generations = zipf(4), 8, 30
    by_type = np.array([counts(float(share), rows, generations)[:, rows] for share in truth])
    chance = by_type.sum(0)
    found = np.mean(
        [
            [student.squares == 1 for student in simulate(truth, rows, "replace", generations, seed=seed)]
            for seed in range(RUNS)
        ],
        axis=0,
    )
    for generation in (5, 10, 20, 30):
        assert abs(found[generation] - chance[generation]) < 4 * math.sqrt(chance[generation] / RUNS)
    # Between the bounds of what is left: nothing that is not collapsed has less than two types, or more than all.
    left = (1 - 1 / rows) ** (generations + 1) * (1 - float(truth @ truth))
    assert left / (1 - 1 / 4) <= 1 - chance[-1] <= left / (2 * (rows - 1) / rows**2)
    assert counts(float(truth[1]), rows, 400)[-1, rows] == pytest.approx(truth[1])


def test_without_real_rows_lost_is_lost_and_with_them_it_comes_back() -> None:
    gone = counts(0.05, 40, 60)[:, 0]
    assert (np.diff(gone) >= -1e-12).all() and gone[-1] > 0.9
    anchored = counts(0.05, 40, 60, 0.1)[:, 0]
    assert anchored[-1] == pytest.approx(anchored[-10], rel=1e-6) and anchored[-1] < 0.7


def _mean(keep: Keep, fraction: float, temperature: float, top_p: float) -> dict[str, list[float]]:
    """Coverage, entropy and loss by generation, in the toy of the literature: Zipf, 5,000 types, 20,000 words."""
    truth = zipf(5000, 1.1)
    runs = [
        simulate(truth, 20_000, keep, 10, real_fraction=fraction, temperature=temperature, top_p=top_p, seed=seed)
        for seed in range(2)
    ]
    return {
        "coverage": [float(np.mean([run[one].coverage for run in runs])) for one in range(11)],
        "entropy": [float(np.mean([run[one].entropy for run in runs])) for one in range(11)],
        "loss": [float(np.mean([run[one].loss(truth) for run in runs])) for one in range(11)],
    }


def test_replacing_loses_the_tail_and_a_tenth_of_real_rows_stops_it() -> None:
    replace, anchored = (_mean("replace", fraction, 1.0, 1.0) for fraction in (0.0, 0.1))
    assert replace["coverage"][0] == pytest.approx(0.52, abs=0.01)
    assert replace["coverage"][10] == pytest.approx(0.17, abs=0.02)
    assert anchored["coverage"][10] == pytest.approx(0.29, abs=0.02)
    assert anchored["coverage"][10] == pytest.approx(anchored["coverage"][6], abs=0.02), "it has settled"
    assert replace["loss"][10] > anchored["loss"][10] > replace["loss"][0]


def test_sharpened_words_lose_their_entropy_while_accumulated_rows_keep_their_types() -> None:
    """Why no single number certifies health."""
    sharp = _mean("accumulate", 0.0, 0.7, 1.0)
    assert sharp["coverage"][10] == sharp["coverage"][0]
    assert sharp["entropy"][0] > 5.3 and sharp["entropy"][10] < 1.8
    assert sharp["loss"][10] > sharp["loss"][0] + 0.3
    assert _mean("replace", 0.0, 0.7, 1.0)["entropy"][10] < 0.1


def test_top_p_cuts_the_tail_faster_than_chance_does() -> None:
    cut = _mean("replace", 0.0, 1.0, 0.95)
    assert cut["coverage"][10] < 0.02 and 2 < cut["entropy"][10] < 4


def test_sampling_that_changes_nothing_changes_nothing() -> None:
    assert sharpened(TRUTH, 1.0, 1.0) == pytest.approx(TRUTH, rel=1e-12)
    halves = sharpened(np.array([0.5, 0.3, 0.2]), 1.0, 0.6)
    assert halves == pytest.approx([0.625, 0.375, 0.0])
    assert sharpened(np.array([0.5, 0.25, 0.25, 0.0]), 0.5, 1.0) == pytest.approx([2 / 3, 1 / 6, 1 / 6, 0.0])
    assert entropy(np.array([0.5, 0.5, 0.0])) == pytest.approx(math.log(2))


def test_the_simulation_learns_from_the_rows_that_keeping_names() -> None:
    for keep in KEEPS:
        for student in simulate(TRUTH, ROWS, keep, 4, real_fraction=0.3, seed=3):
            assert student.parts == portions(keep, student.generation, ROWS, 0.3)
            assert student.learnt.sum() == sum(student.parts.values())
            assert set(student.parts) <= {0, *kept(keep, student.generation)}
    # What is kept whole is in it word for word.
    students = simulate(TRUTH, ROWS, "accumulate", 3, seed=3)
    assert (students[3].learnt == sum(student.written for student in students)).all()
    replaced = simulate(TRUTH, ROWS, "replace", 3, seed=3)
    assert all((student.learnt == student.written).all() for student in replaced)
