"""distill generations | sweep: their options."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from distill.errors import RecipeError
from distill.laboratory.cells import Grid
from distill.laboratory.keeping import Keep
from distill.load import load_recipe
from distill.options import add_command, count
from distill.workspace import Workspace


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Their parsers."""
    runner = add_command(
        commands,
        "generations",
        _generations,
        "students that teach students: what is lost from generation to generation, by what is kept",
    )
    runner.add_argument("--generations", type=count, default=5, metavar="N", help="after generation 0 (default: 5)")
    runner.add_argument(
        "--keep",
        type=keeps,
        default=("replace", "accumulate"),
        metavar="KEEP,…",
        help="what a student learns from: replace, accumulate, subsample (default: replace,accumulate)",
    )
    runner.add_argument(
        "--real-fraction",
        type=fractions,
        default=(0.0,),
        metavar="SHARE,…",
        help="least share of people's rows in every training, such as 0.0,0.1 (default: 0)",
    )
    runner.add_argument(
        "--at-once", type=count, default=1, metavar="N", help="so many chains at a time on this machine"
    )
    runner.add_argument(
        "--part", type=part, metavar="I/N", help="make the I-th of N parts of the grid, without a report"
    )
    sweeper = add_command(
        commands,
        "sweep",
        _sweep,
        "students of equal budget, each of another share of teacher rows: which share is best",
    )
    sweeper.add_argument(
        "--synthetic",
        type=percents,
        default=(0.0, 0.2, 0.3, 0.5, 0.8, 1.0),
        metavar="PERCENT,…",
        help="shares of teacher rows, in percent (default: 0,20,30,50,80,100)",
    )
    for command in (runner, sweeper):
        command.add_argument("--seeds", type=count, default=3, metavar="N", help="of every chain or share (default: 3)")
        command.add_argument("recipe", type=Path, help="YAML file; paths in it start from its own folder")
        command.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", dest="overrides")


def keeps(text: str) -> tuple[Keep, ...]:
    """`replace,accumulate`."""
    named = {one: one for one in get_args(Keep)}
    try:
        return tuple(dict.fromkeys(named[one.strip()] for one in text.split(",")))
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"no {error}; there are: {', '.join(named)}") from error


def fractions(text: str) -> tuple[float, ...]:
    """`0.0,0.1`: each at least 0 and less than 1."""
    return _numbers(text, 1.0, "a share of at least 0 and less than 1", open_end=True)


def percents(text: str) -> tuple[float, ...]:
    """`0,20,100` in percent -> shares, at least two of them."""
    said = _numbers(text, 100.0, "a percentage from 0 to 100")
    if max(said) <= 1 < len(said):
        meant = ",".join(f"{100 * one:g}" for one in said)
        raise argparse.ArgumentTypeError(f"{text!r} is one percent at most: are {meant} percent meant?")
    found = tuple(one / 100 for one in said)
    if len(found) < 2:
        raise argparse.ArgumentTypeError("one share alone is better than no other: name two or more")
    return found


def _numbers(text: str, most: float, what: str, open_end: bool = False) -> tuple[float, ...]:
    found = []
    for one in text.split(","):
        try:
            value = float(one)
        except ValueError:
            value = -1.0
        if not 0 <= value <= most or (open_end and value == most):
            raise argparse.ArgumentTypeError(f"{one!r} is not {what}")
        found.append(value)
    return tuple(dict.fromkeys(found))


def part(text: str) -> tuple[int, int]:
    """`2/3`: the second of three parts."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not I/N with I from 1 to N")
    return int(found[1]), int(found[2])


def _workspace(options: argparse.Namespace) -> Workspace:
    recipe = load_recipe(options.recipe, options.overrides)
    return Workspace(recipe, options.recipe.resolve().parent, options.runs, options.cache)


def _generations(options: argparse.Namespace) -> None:
    from distill import generations

    grid = Grid(options.generations, options.keep, options.real_fraction, options.seeds)
    workspace = _workspace(options)
    if options.at_once > 1 and options.part is None:
        generations.check(workspace, grid)  # once, before it fails in every part
        generations.side_by_side(sys.argv[1:], options.at_once)
    print(generations.generations(workspace, grid, options.part))


def _sweep(options: argparse.Namespace) -> None:
    from distill import generations

    workspace = _workspace(options)
    apart(options.synthetic, workspace.recipe.generate.rows)
    print(generations.sweep(workspace, options.synthetic, options.seeds))


def apart(shares: Sequence[float], rows: int) -> None:
    """Raises:
    RecipeError: two shares are the same number of teacher rows, and so the same student."""
    counts: dict[int, float] = {}
    for share in shares:
        other = counts.setdefault(round(share * rows), share)
        if other != share:
            raise RecipeError(
                f"{100 * other:g} and {100 * share:g} percent of {rows} rows are both {round(share * rows)}",
                where="--synthetic",
                hint="leave one out, or raise generate.rows",
            )
