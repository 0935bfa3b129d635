"""The laboratory over tiny models: its cells are ordinary runs, cached, and each student is the teacher of the next."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from distill import generations, laboratories
from distill.errors import RecipeError
from distill.generations import Bench
from distill.laboratory.cells import Grid, Place, cell, shared
from distill.laboratory.record import LABORATORY, SWEEP, Laboratory, Sweep, read
from distill.load import load_recipe
from distill.recipe import Recipe
from distill.rows import read_rows
from distill.workspace import Workspace
from tests.small_run import DECLARED, write_recipe

GRID = Grid(2, ("replace", "accumulate"), (0.0,), 1)


def here(workspace: Workspace, name: str) -> bool:
    """A step in this process: what starting one costs is measured elsewhere."""
    made = workspace.find(name) is None
    workspace.link(name, workspace.make(name)[0])
    return made


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, sharp_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("laboratory")
    more = {"mix": {"validation_rows": 0}, "train": {"max_steps": 3, "checkpoint_every": None, "checkpoint": "last"}}
    return write_recipe(folder, tiny_model, sharp_model, **DECLARED, **more)


@pytest.fixture(scope="module")
def done(recipe: Path) -> tuple[Workspace, str]:
    workspace = Workspace(load_recipe(recipe), recipe.parent, recipe.parent / "runs", recipe.parent / "cache")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(generations, "step", here)
        return workspace, generations.generations(workspace, GRID, None)


def folder_of(workspace: Workspace) -> Path:
    return workspace.runs / "small.generations"


def test_every_cell_is_a_run_whose_teacher_is_the_student_before(done: tuple[Workspace, str]) -> None:
    workspace, said = done
    folder = folder_of(workspace)
    runs = {"people-seed1", *(f"{keep}-seed1-gen{one}" for keep in ("replace", "accumulate") for one in (1, 2))}
    assert {path.name for path in folder.iterdir() if path.is_dir()} == runs
    second = yaml.safe_load((folder / "replace-seed1-gen2" / "recipe.resolved.yaml").read_text())
    assert second["teacher"]["model"] == "run:replace-seed1-gen1/train"
    rows = list(read_rows(folder / "replace-seed1-gen2" / "3-mix" / "train.jsonl"))
    assert {row.provenance.depth for row in rows} == {2} and len(rows) == 12
    assert "report.html" in said and (folder / "report.html").is_file()


def test_what_accumulates_holds_people_and_every_teacher(done: tuple[Workspace, str]) -> None:
    folder = folder_of(done[0])
    rows = list(read_rows(folder / "accumulate-seed1-gen2" / "3-mix" / "train.jsonl"))
    depths = [row.provenance.depth for row in rows]
    assert [depths.count(depth) for depth in (0, 1, 2)] == [12, 12, 12]
    first = list(read_rows(folder / "people-seed1" / "3-mix" / "train.jsonl"))
    assert {row.id for row in first} == {row.id for row in rows if row.provenance.source == "real"}


def test_the_report_has_every_cell_on_the_same_items(done: tuple[Workspace, str]) -> None:
    found = read(Laboratory, folder_of(done[0]) / LABORATORY)
    assert len(found.cells) == 5 and len(found.items) == 8 and found.base_loss
    assert all(len(one.losses) == 8 and one.train_loss and one.seconds > 0 for one in found.cells)
    assert [one.real_rows for one in found.cells] == [12, 0, 0, 12, 12]
    later = [one for one in found.cells if one.generation]
    assert all({one.prompt for one in cell.samples} == {one.prompt for one in later[0].samples} for cell in later)
    assert later[0].samples and found.references


def test_the_same_command_makes_nothing_again(done: tuple[Workspace, str], monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, said = done

    def nothing(own: Workspace, name: str) -> bool:
        assert own.find(name) is not None, f"{own.recipe.name} {name} is made again"
        return False

    monkeypatch.setattr(generations, "step", nothing)
    assert generations.generations(workspace, GRID, None) == said
    assert all(one.resumed for one in read(Laboratory, folder_of(workspace) / LABORATORY).cells)
    assert "part 2 of 2" in generations.generations(workspace, GRID, (2, 2))


def test_a_sweep_trains_all_shares_on_as_many_rows(
    done: tuple[Workspace, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, _ = done
    monkeypatch.setattr(generations, "step", here)
    said = generations.sweep(workspace, (0.0, 0.5, 1.0), 1)
    found = read(Sweep, workspace.runs / "small.sweep" / SWEEP)
    assert [(one.share, one.rows) for one in found.points] == [(0.0, 12), (0.5, 12), (1.0, 12)]
    assert "sweep.html" in said
    half = list(read_rows(workspace.runs / "small.sweep" / "synthetic50-seed1" / "3-mix" / "train.jsonl"))
    assert sum(row.provenance.source == "real" for row in half) == 6


def test_cells_hold_out_the_same_prompts_whatever_their_seed_and_no_guard_stops_them(recipe: Path) -> None:
    own = load_recipe(recipe)
    first, second = (cell(own, Place("replace", 0.0, seed, 1)) for seed in (1, 2))
    assert first.seed != second.seed and first.split == second.split
    assert shared(own, 0.2, 2).seed == second.seed
    assert own.guard.stop and not first.guard.stop and not shared(own, 0.2, 2).guard.stop
    assert shared(own, 0.2, 2).mix.real_fraction == pytest.approx(10 / 12)


def test_a_recipe_without_real_text_to_measure_is_refused(recipe: Path) -> None:
    own = load_recipe(recipe)
    other = Recipe.model_validate(
        {**own.model_dump(mode="json"), "evaluate": {"suites": ["heldout_teacher"], "primary": "heldout_teacher.loss"}}
    )
    with pytest.raises(RecipeError, match="no suite that measures it"):
        Bench(Workspace(other, recipe.parent, recipe.parent / "runs", recipe.parent / "cache"), "generations").check()


@pytest.mark.parametrize(
    ("read", "text", "found"),
    [
        (laboratories.keeps, "replace, subsample", ("replace", "subsample")),
        (laboratories.fractions, "0.0,0.1", (0.0, 0.1)),
        (laboratories.percents, "0,50", (0.0, 0.5)),
        (laboratories.part, "2/3", (2, 3)),
    ],
)
def test_options_are_read(read, text, found) -> None:  # type: ignore[no-untyped-def]
    assert read(text) == found


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (laboratories.keeps, "replace,all"),
        (laboratories.fractions, "1.0"),
        (laboratories.percents, "50"),
        (laboratories.percents, "50,120"),
        (laboratories.part, "4/3"),
    ],
)
def test_options_that_say_nothing_are_refused(read, text) -> None:  # type: ignore[no-untyped-def]
    import argparse

    with pytest.raises(argparse.ArgumentTypeError):
        read(text)
