"""What arms came to: over seeds by hand, paired by seed and item where cells have both."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from distill.laboratory.curves import Arm, Curves, End, over_seeds
from distill.laboratory.keeping import Keep
from distill.laboratory.record import Cell, Item, Laboratory
from tests.laboratory import example

ITEMS = tuple(Item(id=f"i{number}", root=f"r{number // 2}", tokens=5 + number % 7) for number in range(60))
Loss = Callable[[Keep, float, int, int, int], float]


def laboratory(
    loss: Loss, seeds: int = 3, generations: int = 3, without: frozenset[tuple[str, int, int]] = frozenset()
) -> Laboratory:
    """Cells of replace, replace + 10% real and accumulate, with the loss of every item that is given.

    Args:
        without: keep, seed and generation of cells that are not there.
    """
    cells = []
    arms: tuple[tuple[Keep, float], ...] = (("replace", 0.0), ("replace", 0.1), ("accumulate", 0.0))
    for keep, fraction in arms:
        for seed in range(seeds):
            for generation in range(0 if (keep, fraction) == ("replace", 0.0) else 1, generations + 1):
                losses = tuple(loss(keep, fraction, seed, generation, item) for item in range(len(ITEMS)))
                mean = math.fsum(one * item.tokens for one, item in zip(losses, ITEMS, strict=True))
                mean /= sum(item.tokens for item in ITEMS)
                if (keep, seed, generation) not in without:
                    cells.append(
                        Cell(
                            keep=keep,
                            real_fraction=fraction,
                            seed=seed,
                            generation=generation,
                            loss=mean,
                            losses=losses,
                        )
                    )
    return Laboratory(name="made", items=ITEMS, cells=tuple(cells))


def noisy(keep: Keep, fraction: float, seed: int, generation: int, item: int) -> float:
    """Items differ by far more than arms; what an arm gains is the same for each."""
    draw = random.Random(f"{seed} {generation} {item}")
    hard = random.Random(item).gauss(3, 1)
    gain = {"replace": 0.0, "accumulate": 0.2}[keep] + fraction
    return hard + 0.1 * generation + draw.gauss(0, 0.05) - gain * (generation > 0)


def end(curves: Curves, name: str) -> End:
    return next(end for end in curves.ends if end.arm.name == name)


def test_a_mean_over_seeds_has_a_t_interval() -> None:
    found = over_seeds([1.0, 2.0, 4.0])
    assert found.value == pytest.approx(7 / 3) and found.ci95 is not None
    half = 4.302653 * math.sqrt(7 / 3) / math.sqrt(3)
    assert found.ci95 == pytest.approx((7 / 3 - half, 7 / 3 + half), rel=1e-6)
    assert over_seeds([2.0]).ci95 is None


def test_arms_are_named_and_ordered() -> None:
    curves = Curves(laboratory(noisy))
    assert [arm.name for arm in curves.arms] == ["replace", "replace + 10% real", "accumulate"]
    assert curves.reference == Arm("replace", 0.0)


def test_generation_0_is_that_of_all_arms() -> None:
    curves = Curves(laboratory(noisy))
    begin = {arm: curve[0] for arm, curve in curves.all(lambda cell: cell.loss).items()}
    assert len(begin) == 3 and len({place.found.value for place in begin.values()}) == 1
    assert all([place.generation for place in curve] == [0, 1, 2, 3] for curve in curves.all(lambda c: c.loss).values())


def test_a_difference_is_paired_by_seed_and_item() -> None:
    """What differs by the same for every item and seed has an interval without a width, though items differ by a whole nat."""
    curves = Curves(laboratory(noisy))
    for name, gain in (("replace + 10% real", 0.1), ("accumulate", 0.2)):
        found = end(curves, name)
        assert found.beside is not None and found.beside.over == "seeds and items" and found.beside.seeds == 3
        assert found.beside.ci95 == pytest.approx((-gain, -gain), abs=1e-9)
        assert found.verdict == "better"
        assert found.loss.ci95 is not None and found.loss.ci95[1] - found.loss.ci95[0] > 0.3


def grown(*place: Any) -> float:
    *_, generation, item = place
    return float((2 + item / 60) * 1.5**generation)


def test_a_ratio_is_to_generation_0() -> None:
    found = end(
        Curves(laboratory(grown)),
        "replace",
    )
    assert found.ratio is not None and found.ratio.value == pytest.approx(1.5**3)
    assert found.ratio.ci95 == pytest.approx((1.5**3, 1.5**3))


def test_of_what_replace_lost_a_share_is_avoided() -> None:
    def loss(keep: Keep, fraction: float, _: int, generation: int, item: int) -> float:
        return 2 + item / 60 + generation * (0.1 if keep == "accumulate" else 0.4 * (1 - 5 * fraction))

    curves = Curves(laboratory(loss))
    accumulate, anchored = end(curves, "accumulate").avoided, end(curves, "replace + 10% real").avoided
    assert accumulate is not None and accumulate.value == pytest.approx(0.75)
    assert anchored is not None and anchored.value == pytest.approx(0.5)
    assert end(curves, "replace").avoided is None
    flat = Curves(laboratory(lambda *place: 2 + place[-1] / 60))
    assert end(flat, "accumulate").avoided is None, "nothing was lost of which a share could be avoided"


def test_cells_that_are_missing_are_named_and_left_out_of_pairs() -> None:
    without = frozenset({("accumulate", 1, 3), ("accumulate", 2, 3), ("accumulate", 2, 2)})
    curves = Curves(laboratory(noisy, without=without))
    assert curves.missing() == [
        "accumulate, generation 2, seed 2",
        "accumulate, generation 3, seed 1",
        "accumulate, generation 3, seed 2",
    ]
    found = end(curves, "accumulate")
    assert found.generation == 3 and found.beside is not None
    assert (found.beside.seeds, found.beside.over) == (1, "items")
    assert found.beside.ci95 == pytest.approx((-0.2, -0.2), abs=1e-9)
    assert end(curves, "replace").loss.seeds == 3


def test_an_arm_is_held_against_the_generation_that_it_reached() -> None:
    without = frozenset(("accumulate", seed, 3) for seed in range(3))
    found = end(Curves(laboratory(noisy, without=without)), "accumulate")
    assert found.generation == 2 and found.beside is not None and found.beside.value == pytest.approx(-0.2)


def test_without_losses_by_item_intervals_are_over_seeds() -> None:
    made = laboratory(noisy)
    bare = made.model_copy(
        update={"items": (), "cells": tuple(cell.model_copy(update={"losses": ()}) for cell in made.cells)}
    )
    found = end(Curves(bare), "accumulate")
    assert found.beside is not None and found.beside.over == "seeds"
    assert found.beside.value == pytest.approx(-0.2) and found.beside.ci95 == pytest.approx((-0.2, -0.2), abs=1e-9)
    assert found.verdict == "cannot tell"


def test_one_seed_has_intervals_over_items() -> None:
    found = end(Curves(laboratory(noisy, seeds=1)), "accumulate")
    assert found.loss.over == "items" and found.loss.ci95 is not None


def test_the_order_of_cells_changes_nothing() -> None:
    made = laboratory(noisy)
    turned = made.model_copy(update={"cells": made.cells[::-1]})
    assert Curves(made).ends == Curves(turned).ends


def test_the_interval_over_seeds_and_items_holds_for_others() -> None:
    """Laboratories of other seeds and items, drawn anew: the difference that is true lies in the interval as often as it says."""
    held, runs = 0, 25
    for run in range(runs):

        def loss(keep: Keep, fraction: float, seed: int, generation: int, item: int, run: int = run) -> float:
            by_seed = random.Random(f"{run} {keep} {fraction} {seed}").gauss(0, 0.05)
            by_item = random.Random(f"{run} {keep} {item}").gauss(0, 0.3)
            return 3 + by_seed + by_item + (0.3 if keep == "replace" else 0) * generation

        found = Curves(laboratory(loss, generations=1))
        beside = end(found, "accumulate").beside
        assert beside is not None and beside.ci95 is not None
        held += beside.ci95[0] <= -0.3 <= beside.ci95[1]
    assert held >= 21


def test_the_example_finds_what_the_simulation_was_given() -> None:
    curves = Curves(example.laboratory())
    ratios = {found.arm.name: found.ratio for found in curves.ends}
    replace, anchored, accumulate = (ratios[name] for name in ("replace", "replace + 10% real", "accumulate"))
    assert replace and anchored and accumulate and replace.ci95
    assert replace.value > anchored.value > accumulate.value and replace.ci95[0] > 1
