"""The laboratory over tiny models: its cells are ordinary runs, cached, and each student is the teacher of the next."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill import generations, laboratories
from distill.errors import RecipeError
from distill.generations import Bench
from distill.laboratory.cells import LAST_ALONE, Grid, Place, cell, shared
from distill.laboratory.record import LABORATORY, SWEEP, Laboratory, Sweep, read
from distill.load import load_recipe
from distill.rows import read_rows
from distill.workspace import Workspace, reopen
from tests.small_run import DECLARED, write_recipe

ROOT = Path(__file__).parents[1]
GRID = Grid(2, ("subsample",), (0.0,), 1)


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
    runs = {"people-seed1", "subsample-seed1-gen1", "subsample-seed1-gen2"}
    assert {path.name for path in folder.iterdir() if path.is_dir()} == runs
    second = yaml.safe_load((folder / "subsample-seed1-gen2" / "recipe.resolved.yaml").read_text())
    assert second["teacher"]["model"] == "run:subsample-seed1-gen1/train"
    assert "report.html" in said and (folder / "report.html").is_file()
    kept = [len(list((folder / run / "4-train" / "checkpoints").iterdir())) for run in runs]
    assert kept == [1, 1, 1], "with all weights trained each is as large as the model"


def test_a_pool_has_as_many_rows_of_people_and_of_every_teacher(done: tuple[Workspace, str]) -> None:
    folder = folder_of(done[0])
    rows = list(read_rows(folder / "subsample-seed1-gen2" / "3-mix" / "train.jsonl"))
    depths = [row.provenance.depth for row in rows]
    assert [depths.count(depth) for depth in (0, 1, 2)] == [4, 4, 4]
    first = list(read_rows(folder / "people-seed1" / "3-mix" / "train.jsonl"))
    assert {row.id for row in rows if row.provenance.source == "real"} < {row.id for row in first}


def test_the_report_has_every_cell_on_the_same_items(done: tuple[Workspace, str]) -> None:
    found = read(Laboratory, folder_of(done[0]) / LABORATORY)
    assert len(found.cells) == 3 and len(found.items) == 8 and found.base_loss
    assert all(len(one.losses) == 8 and one.train_loss and one.seconds > 0 for one in found.cells)
    assert [(one.rows, one.real_rows) for one in found.cells] == [(12, 12), (12, 6), (12, 4)]
    later = [one for one in found.cells if one.generation]
    assert all({one.prompt for one in cell.samples} == {one.prompt for one in later[0].samples} for cell in later)
    assert later[0].samples and found.references


def test_the_same_command_makes_nothing_again_and_says_where_it_is(
    done: tuple[Workspace, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, said = done

    def nothing(own: Workspace, name: str) -> bool:
        assert own.find(name) is not None, f"{own.recipe.name} {name} is made again"
        return False

    monkeypatch.setattr(generations, "step", nothing)
    assert generations.generations(workspace, GRID, None) == said
    assert all(one.resumed for one in read(Laboratory, folder_of(workspace) / LABORATORY).cells)
    told = capsys.readouterr().err.splitlines()
    cells = ["people-seed1, 1 of 3", "subsample-seed1-gen1, 2 of 3", "subsample-seed1-gen2, 3 of 3"]
    assert [line for line in told if " of 3" in line] == cells
    assert "part 2 of 2" in generations.generations(workspace, GRID, (2, 2))


def test_a_sweep_trains_all_shares_on_as_many_rows(
    done: tuple[Workspace, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, _ = done
    monkeypatch.setattr(generations, "step", here)
    said = generations.sweep(workspace, (0.5, 1.0), 1)
    found = read(Sweep, workspace.runs / "small.sweep" / SWEEP)
    assert [(one.share, one.rows) for one in found.points] == [(0.5, 12), (1.0, 12)]
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


def changed(recipe: Path, changes: dict[str, Any]) -> Workspace:
    """The recipe with other fields, checked as it is when it is read."""
    path = recipe.parent / "changed.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(recipe.read_text()), **changes}))
    return Workspace(load_recipe(path), recipe.parent, recipe.parent / "runs", recipe.parent / "cache")


SERVED = {"model": "org/large", "engine": {"kind": "server"}, "terms": ["apache-2.0"]}
RANK = {"kind": "rank", "prompts": "chat", "share": 0.5, "by": {"logprob": "teacher"}}
PAIRS = {"rows": 4, "methods": [{"kind": "answer", "prompts": "chat", "share": 0.5}, RANK]}
BY_ANSWERS = {"suites": ["heldout_real"], "primary": "heldout_real.chrf"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"evaluate": {"suites": ["heldout_teacher"], "primary": "heldout_teacher.loss"}}, "no suite that measures it"),
        (
            {"teacher": SERVED, "runtime": {"server": {"address": "http://a/v1"}}, "evaluate": BY_ANSWERS},
            "1 problem for a laboratory\n  teacher.engine: a server",
        ),
        ({"train": {"objective": "logits"}}, "train.objective: logits learns from the teacher's distributions"),
        ({"train": [{"objective": "sft"}, {"objective": "on_policy"}]}, "train.1.objective: on_policy"),
        ({"split": {"held_out_prompts": 8, "max_depth": 1}}, "rows of generation 2 are 2 models away"),
        (
            {
                "teachers": {"other": SERVED},
                "generate": {"rows": 4, "methods": [{"kind": "answer", "prompts": "chat", "teacher": "other"}]},
                "runtime": {"server": {"address": "http://a/v1"}},
            },
            "generate.methods.0.teacher: other would write the rows of every generation",
        ),
        (
            {"generate": PAIRS, "train": [{"objective": "sft"}, {"objective": "preference"}]},
            "people-seed1  mix.real_fraction: 1 is real rows alone, and preference learns",
        ),
    ],
)
def test_what_a_laboratory_cannot_do_is_refused_before_the_first_cell(
    recipe: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        generations.check(changed(recipe, changes), GRID)
    assert said in str(caught.value)


def test_a_sweep_is_refused_before_its_first_cell_too(recipe: Path) -> None:
    workspace = changed(recipe, {"generate": PAIRS, "train": {"objective": "sft"}})
    with pytest.raises(RecipeError, match=r"synthetic100-seed1  mix\.rows: 4 rows, 0 of them real, take 4"):
        generations.sweep(workspace, (0.0, 1.0), 1)


def test_the_lock_of_the_recipe_holds_for_its_cells(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "small.lock.json").write_text('{"org/data": "c0ffee"}')
    workspace = Workspace(load_recipe(recipe), tmp_path, tmp_path / "runs", tmp_path / "cache")
    own = Bench(workspace, "generations").of(cell(workspace.recipe, Place("replace", 0.0, 1, 0)))
    assert own.locked == {"org/data": "org/data@c0ffee"}
    own.save_recipe()
    assert reopen(own.run_folder, own.cache).locked == own.locked, "as the processes of its stages read it"


def test_checkpoints_are_left_where_they_are_wanted(recipe: Path) -> None:
    own = load_recipe(recipe)

    def every(validation_rows: int, **train: Any) -> int | None:
        changes = {"mix": own.mix.model_copy(update={"validation_rows": validation_rows})}
        training = own.trainings[0].model_copy(update=train)
        return shared(own.model_copy(update={**changes, "train": training}), 0.5, 1).trainings[0].checkpoint_every

    assert every(0, checkpoint="best") == every(4, checkpoint="last") == LAST_ALONE
    assert every(4, checkpoint="best") is None and every(4, checkpoint="last", patience=2) is None
    assert every(0, checkpoint="last", checkpoint_every=5) == 5


def test_what_is_left_is_told_once_something_was_made(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = load_recipe(recipe)
    bench = Bench(Workspace(own, recipe.parent, recipe.parent / "runs", recipe.parent / "cache"), "generations", 4)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Bench, "make", lambda *_: ({}, True))
        bench.run(own)
        bench.made["small"] = 60.0
        bench.run(own)
    assert capsys.readouterr().err.split("\n") == ["", "small, 1 of 4", "", "small, 2 of 4; about 3 min 00 s left", ""]


def test_parts_that_run_at_once_end_with_the_command(recipe: Path, tmp_path: Path) -> None:
    """Killed while its parts import what they need: none goes on alone."""
    arguments = ["--runs", str(tmp_path / "runs"), "--cache", str(tmp_path / "cache")]
    called = ["generations", str(recipe), *arguments]
    program = f"from distill.generations import side_by_side; side_by_side({called!r}, 2)"
    with subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ROOT)}) as parent:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        while len(parts := children.read_text().split()) < 2:
            assert parent.poll() is None
            time.sleep(0.01)
        parent.terminate()
    while any(Path("/proc", one, "exe").exists() for one in parts):
        time.sleep(0.01)  # the test's own time limit is the proof


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
