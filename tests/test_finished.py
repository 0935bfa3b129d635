"""Arms of a run that was made here, on tiny models: those in its folder, and checkpoints that lie in the cache alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from distill.cli import main
from distill.comparing import compare
from distill.errors import SourceError
from distill.finished import Finished
from distill.load import load_recipe
from distill.pipeline import plan
from distill.workspace import Workspace
from tests.small_run import make, open_run, write_recipe


@pytest.fixture
def run(tmp_path: Path, tiny_model: Path, sharp_model: Path) -> Workspace:
    workspace = open_run(tmp_path, write_recipe(tmp_path, tiny_model, sharp_model))
    make(workspace, "compare")
    return workspace


def test_checkpoints_that_evaluate_scored_are_found_in_the_cache(
    run: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--runs", str(run.runs), "--cache", str(run.cache)]
    with pytest.raises(SourceError) as error:
        Finished(run.run_folder, run.cache).evaluation("student@2")
    assert str(error.value.hint).startswith("`distill evaluate small` evaluates every checkpoint 2, 4, 6; ")
    assert main(["evaluate", "small", *folders]) == 0
    found = Finished(run.run_folder, run.cache)
    assert found.arms == ["base", "student", "student@2", "student@4", "student@6", "teacher"]
    assert list(found.steps()) == [2, 4, 6] and "student" in found.steps().values()
    assert main(["compare", "small", "small@2", *folders]) == 0
    assert "small@2 \u2212 small" in capsys.readouterr().out
    comparison, _ = compare(["small"], lambda _: run.run_folder, run.cache)
    assert list(comparison.checkpoints["heldout_real.loss"]["small"]) == [0, 2, 4, 6]
    # Without the cache and what the recipe refers to, the folder's own arms are still there.
    apart = run.runs / "apart"
    shutil.copytree(run.run_folder, apart)
    (apart / "run.json").unlink()
    assert Finished(apart, run.cache).arms == ["base", "student", "teacher"]


def test_every_arm_of_a_plan_is_found_under_its_name(tmp_path: Path) -> None:
    recipe = load_recipe(
        Path(__file__).parents[1] / "recipes" / "quickstart.yaml", ["evaluate.seeds=3", "evaluate.real_only=true"]
    )
    for node in plan(recipe):
        if node.name.startswith("evaluate/"):
            (tmp_path / node.folder).mkdir()
            (tmp_path / node.folder / "manifest.json").write_text("{}")
    found = Finished(tmp_path, tmp_path / "cache")
    assert set(found.arms) == set(recipe.arms) and found.seeds == ["student#2", "student#3"]
    assert all(found.find(arm) for arm in recipe.arms)
