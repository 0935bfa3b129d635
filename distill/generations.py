"""`distill generations` and `distill sweep`: a recipe -> the runs of a grid, each cell an ordinary run, and one report of them all.

    RUNS/NAME.generations/people-seed1/                  runs of its cells
    RUNS/NAME.generations/replace-seed1-gen1/ …
    RUNS/NAME.generations/laboratory.json, report.html, report.md

A cell is made up to `evaluate/student`. What is in the cache is not made again, so that the same command goes on where it was
stopped; processes that make different parts of the grid meet in the cache.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from distill import compatibility, intent
from distill.compare.words import seconds
from distill.errors import LaunchError
from distill.laboratory import gather, page, sweep_page
from distill.laboratory.cells import Grid, Place, cell, loss_suite, points, shared
from distill.laboratory.keeping import PEOPLE
from distill.laboratory.record import Cell, Laboratory, Mixed, Sample, Sweep
from distill.laboratory.terminal import table
from distill.laboratory.unfit import check_cells, check_chain
from distill.passing import die_with_parent
from distill.recipe import Recipe
from distill.rows import Row, read_rows
from distill.steps import step
from distill.workspace import Workspace

GOAL, BASE = "evaluate/student", "evaluate/base"


@dataclass
class Bench:
    """Where the cells of one recipe are made."""

    workspace: Workspace
    """Of the recipe itself."""
    kind: str
    """`generations` or `sweep`."""
    cells: int = 0
    """How many there will be."""
    begun: int = 0
    made: dict[str, float] = field(default_factory=dict)
    """Cells of which something was made by this process, and how many seconds that took."""

    @property
    def folder(self) -> Path:
        return self.workspace.runs / f"{self.workspace.recipe.name}.{self.kind}"

    def of(self, recipe: Recipe) -> Workspace:
        """Of a cell; what the recipe's lock says holds there too."""
        own = self.workspace
        return replace(own, recipe=recipe, runs=self.folder, locked_as=own.recipe.name)

    def run(self, recipe: Recipe) -> dict[str, Path]:
        """Make the next cell, and say which of how many it is; the folder of each node, those it needs first."""
        self.begun += 1
        self.workspace.context.say(f"\n{recipe.name}, {self.begun} of {self.cells}{self._rest()}")
        started = time.monotonic()
        found, made = self.make(recipe)
        if made:
            self.made[recipe.name] = time.monotonic() - started
        return found

    def make(self, recipe: Recipe, goal: str = GOAL) -> tuple[dict[str, Path], bool]:
        """A cell up to a node: the folder of each node, those it needs first, and whether any was made."""
        own = self.of(recipe)
        own.save_recipe()
        wanted = own.wanted(goal)
        names = [node.name for node in own.nodes if node.name in wanted]
        made = [step(own, name) for name in names]
        found = {name: own.find(name) for name in names}
        return {name: artifact.path for name, artifact in found.items() if artifact}, any(made)

    def _rest(self) -> str:
        """What this one and those after it will take, if they take as long as those that were made."""
        if not self.made:
            return ""
        mean = sum(self.made.values()) / len(self.made)
        return f"; about {seconds(mean * (self.cells - self.begun + 1))} left"

    def check(self, cells: Iterable[Recipe]) -> None:
        """Everything that can be refused before the first cell.

        Args:
            cells: the recipe of every one.
        """
        recipe = self.workspace.recipe
        loss_suite(recipe)
        check_cells(recipe, cells)
        compatibility.check(recipe, self.workspace.base)
        self.workspace.fetch_missing()
        for line in intent.check(self.workspace):
            print(line, file=sys.stderr)
        compatibility.check_tokens(self.workspace)


def check(workspace: Workspace, grid: Grid) -> None:
    """Refuse a recipe of which some cell cannot be made, all of it at once, and bring what it names here.

    Raises:
        RecipeError: see `distill.laboratory.unfit`.
    """
    recipe = workspace.recipe
    loss_suite(recipe)
    check_chain(recipe, grid.generations)
    places = _places(grid.chains(recipe.generate.rows))
    Bench(workspace, "generations").check(cell(recipe, place) for place in places)


def generations(workspace: Workspace, grid: Grid, part: tuple[int, int] | None) -> str:
    """Run a grid, or the chains of one part of it.

    Returns:
        what the terminal shows.
    """
    check(workspace, grid)
    recipe = workspace.recipe
    chains = grid.chains(recipe.generate.rows)
    places = _places(chains[part[0] - 1 :: part[1]] if part else chains)
    bench = Bench(workspace, "generations", len(places))
    found = {place: bench.run(cell(recipe, place)) for place in places}
    if part:
        return f"part {part[0]} of {part[1]} is made: the command without --part makes the report"
    laboratory = _laboratory(bench, grid, found)
    page.write(laboratory, bench.folder)
    return f"\n{table(laboratory)}\n\nreport: {bench.folder / 'report.html'}"


def _places(chains: Iterable[Sequence[Place]]) -> list[Place]:
    """Every cell of the chains once."""
    return list(dict.fromkeys(place for chain in chains for place in _apart(chain)))


def _apart(chain: Sequence[Place]) -> Iterator[Place]:
    """Generation 0 is one cell of a seed, whatever follows it."""
    for place in chain:
        yield place if place.generation else Place("replace", 0.0, place.seed, PEOPLE)


def _laboratory(bench: Bench, grid: Grid, found: dict[Place, dict[str, Path]]) -> Laboratory:
    recipe = bench.workspace.recipe
    first = next(iter(found))
    measured = gather.items(found[first])
    base = gather.losses(bench.make(cell(recipe, first), BASE)[0], measured, BASE)
    cells: list[Cell] = []
    for place, folders in found.items():
        people = list(read_rows(folders["filter"] / "real.jsonl"))
        cells.append(gather.cell(place, folders, people, measured, recipe.seed, place.name not in bench.made))
    rows = {place: gather.written(place, folders) for place, folders in found.items() if place.seed == first.seed}
    chosen = gather.common([own for place, own in rows.items() if place.generation])
    asked = _asked(found[first]["split"])
    prompts = {root: asked[root].question or asked[root].answer for root in chosen if root in asked}
    shown = {place.name: gather.samples([*prompts], own, prompts) for place, own in rows.items() if place.generation}
    return Laboratory(
        name=recipe.name,
        settings=_settings(recipe, grid),
        items=measured,
        cells=tuple(one.model_copy(update={"samples": shown.get(one.run, ())}) for one in cells),
        base_loss=gather.mean(base, measured),
        references=tuple(
            Sample(prompt=prompts[root], text=asked[root].answer) for root in prompts if asked[root].question
        ),
    )


def _asked(split: Path) -> dict[str, Row]:
    """People's training rows by root."""
    paths = sorted((split / "train").glob("*.jsonl"))
    return {row.provenance.root: row for path in paths for row in read_rows(path)}


def sweep(workspace: Workspace, shares: Sequence[float], seeds: int) -> str:
    """Run a mixing sweep: students of equal budget, each of another share of teacher rows.

    Returns:
        what the terminal shows.
    """
    recipe = workspace.recipe
    cells = [(share, seed, shared(recipe, share, seed)) for share, seed in points(shares, seeds)]
    bench = Bench(workspace, "sweep", len(cells))
    bench.check(one for _, _, one in cells)
    found = [(share, seed, one.name, bench.run(one)) for share, seed, one in cells]
    measured = gather.items(found[0][3])
    tried: tuple[Mixed, ...] = tuple(
        gather.mixed(share, seed, name, folders, measured) for share, seed, name, folders in found
    )
    result = Sweep(name=recipe.name, settings=_settings(recipe), items=measured, points=tried)
    sweep_page.write(result, bench.folder)
    return f"\n{sweep_page.table(result)}\n\nreport: {bench.folder / 'sweep.html'}"


def _settings(recipe: Recipe, grid: Grid | None = None) -> dict[str, str]:
    """What a reader must know of how it was made."""
    student, training = recipe.student, recipe.trainings[0]
    assert student is not None
    weights = "all weights" if student.lora is None else f"LoRA, rank {student.lora.r}"
    sampling = recipe.generate.sampling
    return {
        "teacher": recipe.teacher.model if grid is None else "of each generation the student of the one before",
        "student": f"{student.model}, {weights}, from the base each time",
        "people's rows": ", ".join(f"{name}: {real.data}" for name, real in recipe.real.items()),
        "rows of a generation": str(recipe.generate.rows),
        "training": f"{training.objective}, learning rate {training.learning_rate:g}, batch {training.batch_size}",
        "sampling": f"temperature {sampling.temperature:g}, top_p {sampling.top_p:g}, at most {sampling.max_new_tokens} tokens",
        "measured": f"{loss_suite(recipe)}.loss",
    }


def side_by_side(arguments: Sequence[str], parts: int) -> None:
    """Run the parts of a grid in processes of their own, beside each other on this machine.

    Args:
        arguments: of `distill`, without `--at-once` and `--part`.

    Raises:
        LaunchError: one of them failed; what it said is above.
    """
    command = [sys.executable, "-m", "distill.cli", *arguments]
    dying = partial(die_with_parent, signal.SIGTERM)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(1, parts + 1):
            one = subprocess.Popen([*command, "--part", f"{number}/{parts}"], preexec_fn=dying)  # noqa: PLW1509
            processes.append(one)
        failed = [number for number, process in enumerate(processes, 1) if process.wait()]
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        for process in processes:
            process.wait()  # a training writes a checkpoint first
    if failed:
        shown = ", ".join(map(str, failed))
        hint = "mend it and run the same command again: finished cells are kept"
        raise LaunchError(f"part {shown} of {parts} stopped, see above", where="distill generations", hint=hint)
