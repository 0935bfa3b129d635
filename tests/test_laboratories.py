"""What the laboratory's commands refuse before anything is made, and what they say then."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from distill import laboratories
from distill.cli import main
from distill.errors import RecipeError, SourceError
from distill.laboratory.cells import loss_suite
from distill.load import load_recipe
from distill.options import run_folder

ROOT = Path(__file__).parents[1]
CHAT = ROOT / "recipes" / "laboratory" / "chat.yaml"


def test_shares_that_look_like_fractions_are_asked_about() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="are 20,50 percent meant"):
        laboratories.percents("0.2,0.5")
    assert laboratories.percents("0,2") == (0.0, 0.02)


def test_shares_of_the_same_number_of_rows_are_one_student_and_refused() -> None:
    with pytest.raises(RecipeError, match=r"50 and 51 percent of 40 rows are both 20"):
        laboratories.apart((0.0, 0.5, 0.51), 40)
    laboratories.apart((0.0, 0.5, 0.51), 100)


def test_a_wrong_option_is_answered_with_the_usage_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("sweep", "generations"):
        with pytest.raises(SystemExit) as caught:
            main([command, str(CHAT), "--shares", "0,1"])
        said = capsys.readouterr().err
        assert caught.value.code == 2 and said.startswith(f"usage: distill {command} ")
        assert f"distill {command}: error: unrecognized arguments: --shares 0,1" in said
    with pytest.raises(SystemExit):
        main(["schema", "--what"])
    assert "usage: distill schema" in capsys.readouterr().err


def test_what_a_recipe_lacks_is_what_is_hinted_at() -> None:
    recipe = load_recipe(CHAT)
    with pytest.raises(RecipeError, match=r"no student\n.*student: \{model: …\}"):
        loss_suite(recipe.model_copy(update={"student": None}))
    bare = recipe.evaluate.model_copy(update={"suites": ()})
    with pytest.raises(RecipeError, match=r"no suite that measures it\n.*evaluate\.suites: \["):
        loss_suite(recipe.model_copy(update={"evaluate": bare}))


@pytest.mark.parametrize(("kind", "page"), [("generations", "report.html"), ("sweep", "sweep.html")])
def test_a_laboratory_is_no_run_and_says_where_its_report_is(tmp_path: Path, kind: str, page: str) -> None:
    folder = tmp_path / f"lab.{kind}"
    (folder / "people-seed1").mkdir(parents=True)
    with pytest.raises(SourceError, match="not there yet") as caught:
        run_folder(folder.name, tmp_path)
    assert "a laboratory of many runs, and not a run" in str(caught.value)
    (folder / page).touch()
    with pytest.raises(SourceError, match=f"its report: .*{page}; one of its runs: .*people-seed1"):
        run_folder(folder.name, tmp_path)
    assert run_folder(str(folder / "people-seed1"), tmp_path) == folder / "people-seed1"
    (folder / "recipe.resolved.yaml").touch()  # a run that has this name
    assert run_folder(folder.name, tmp_path) == folder
