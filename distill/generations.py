"""`distill generations` and `distill sweep`: a recipe -> the runs of a grid, each cell an ordinary run, and one report of them all.

    RUNS/NAME.generations/people-seed1/                  runs of its cells
    RUNS/NAME.generations/replace-seed1-gen1/ …
    RUNS/NAME.generations/laboratory.json, report.html, report.md

A cell is made up to `evaluate/student`. What is in the cache is not made again, so that the same command goes on where it was
stopped; processes that make different parts of the grid meet in the cache.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from distill import compatibility, intent
from distill.errors import LaunchError
from distill.laboratory import gather, page, sweep_page
from distill.laboratory.cells import Grid, Place, cell, loss_suite, points, shared
from distill.laboratory.keeping import PEOPLE
from distill.laboratory.record import Cell, Laboratory, Mixed, Sample, Sweep
from distill.laboratory.terminal import table
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
    made: set[str] = field(default_factory=set)
    """Cells of which something was made by this process."""

    @property
    def folder(self) -> Path:
        return self.workspace.runs / f"{self.workspace.recipe.name}.{self.kind}"

    def run(self, recipe: Recipe, *more: str) -> dict[str, Path]:
        """Make a cell, and more of its nodes; the folder of each, those it needs first."""
        own = replace(self.workspace, recipe=recipe, runs=self.folder)
        own.context.say(f"\n{recipe.name}")
        own.save_recipe()
        wanted = {name for goal in (GOAL, *more) for name in own.wanted(goal)}
        names = [node.name for node in own.nodes if node.name in wanted]
        made = [step(own, name) for name in names]
        if any(made):
            self.made.add(recipe.name)
        found = {name: own.find(name) for name in names}
        return {name: artifact.path for name, artifact in found.items() if artifact}

    def check(self) -> Recipe:
        """Everything that can be refused before the first cell; the recipe."""
        recipe = self.workspace.recipe
        loss_suite(recipe)
        compatibility.check(recipe, self.workspace.base)
        self.workspace.fetch_missing()
        for line in intent.check(self.workspace):
            print(line, file=sys.stderr)
        return recipe


def generations(workspace: Workspace, grid: Grid, part: tuple[int, int] | None) -> str:
    """Run a grid, or the chains of one part of it.

    Returns:
        what the terminal shows.
    """
    bench = Bench(workspace, "generations")
    recipe = bench.check()
    chains = grid.chains(recipe.generate.rows)
    if part:
        for chain in chains[part[0] - 1 :: part[1]]:
            for place in chain:
                bench.run(cell(recipe, place))
        return f"part {part[0]} of {part[1]} is made: the command without --part makes the report"
    found = {place: bench.run(cell(recipe, place)) for chain in chains for place in _apart(chain)}
    laboratory = _laboratory(bench, grid, found)
    page.write(laboratory, bench.folder)
    return f"\n{table(laboratory)}\n\nreport: {bench.folder / 'report.html'}"


def _apart(chain: Sequence[Place]) -> Iterator[Place]:
    """Generation 0 is one cell of a seed, whatever follows it."""
    for place in chain:
        yield place if place.generation else Place("replace", 0.0, place.seed, PEOPLE)


def _laboratory(bench: Bench, grid: Grid, found: dict[Place, dict[str, Path]]) -> Laboratory:
    recipe = bench.workspace.recipe
    first = next(iter(found))
    measured = gather.items(found[first])
    base = gather.losses(bench.run(cell(recipe, first), BASE), measured, BASE)
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
    bench = Bench(workspace, "sweep")
    recipe = bench.check()
    found = [
        (share, seed, one.name, bench.run(one))
        for share, seed in points(shares, seeds)
        for one in (shared(recipe, share, seed),)
    ]
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
    processes = [subprocess.Popen([*command, "--part", f"{number}/{parts}"]) for number in range(1, parts + 1)]
    try:
        failed = [number for number, process in enumerate(processes, 1) if process.wait()]
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
    if failed:
        shown = ", ".join(map(str, failed))
        hint = "mend it and run the same command again: finished cells are kept"
        raise LaunchError(f"part {shown} of {parts} stopped, see above", where="distill generations", hint=hint)
