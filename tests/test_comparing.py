"""`distill compare`: which arms are meant, where the page lies, and what is said of arms that are not there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from distill.comparing import page_path
from distill.errors import SourceError
from distill.load import load_recipe
from distill.recipe import dump
from tests.compare.runs.conftest import Runs


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


def test_a_run_an_arm_of_it_and_a_checkpoint(runs: Runs) -> None:
    runs.make("a", {"student@20": 2.2, "other": 2.1})
    for named in ("a@20", "a:student@20"):
        assert runs.compare(named)[0].chosen == ["a@20"]
    comparison, _ = runs.compare("a:other", "a", "a@20", "a")
    assert comparison.chosen == ["a:other", "a", "a@20"]
    assert [comparison.arms[label].arm for label in comparison.chosen] == ["other", "student", "student@20"]


def test_a_run_whose_own_name_has_a_colon_or_an_at_sign_is_found_first(runs: Runs) -> None:
    runs.make("a").rename(runs.root / "a@20")
    runs.make("b").rename(runs.root / "b:other")
    assert runs.compare("a@20", "b:other", "b:other:base")[0].chosen == ["a@20", "b:other", "b:other:base"]


def test_runs_called_like_an_arm_or_like_each_other_are_told_apart(runs: Runs, tmp_path: Path) -> None:
    runs.make("teacher")
    assert list(runs.compare("teacher")[0].arms) == ["teacher", "base", "teacher:student"]
    first, second = runs.make("a"), Runs(tmp_path / "more").make("a")
    assert runs.compare(str(first), str(second))[0].chosen == [str(first), str(second)]


def test_a_checkpoint_that_was_kept_and_not_evaluated_is_said_how_to_make(runs: Runs) -> None:
    runs.make("a", {"student@10": 2.4})
    with pytest.raises(SourceError, match=r"there is no evaluation of student@20") as error:
        runs.compare("a@20")
    assert str(error.value.hint).startswith(
        "`distill evaluate a` evaluates every checkpoint 10, 20, 30, 40; evaluated are"
    )
    with pytest.raises(SourceError) as error:
        runs.compare("a@25")
    assert str(error.value.hint).startswith("its training kept the steps 10, 20, 30, 40; evaluated are: base, student")


def test_an_arm_and_a_run_that_are_not_there(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    runs.make("a")
    assert runs.cli("a:nobody") == 2
    assert "there is no evaluation of nobody" in (said := capsys.readouterr().err) and "base, student, teacher" in said
    assert runs.cli("nobody@3") == 2
    assert "no run 'nobody'" in capsys.readouterr().err


def test_an_evaluation_of_an_earlier_training_is_refused(runs: Runs) -> None:
    runs.train(runs.make("a"), "another key", loss=2.0)
    with pytest.raises(SourceError, match=r"student was evaluated before its run was trained anew"):
        runs.compare("a")


def test_a_further_seed_of_an_earlier_training_is_refused(runs: Runs) -> None:
    run = runs.make("a", {"student#2": 2.2})
    runs.train(run, "key-a", loss=2.2, node="train#2")
    assert runs.compare("a")[0].arms["a"].seeds == 2
    runs.train(run, "another key", loss=2.2, node="train#2")
    with pytest.raises(SourceError, match=r"student#2 was evaluated before its run was trained anew"):
        runs.compare("a")


def test_the_page_lies_beside_the_first_run_and_is_named_for_the_arms(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.make("a", {"student@10": 2.4})
    assert runs.cli("a@10", "a") == 0
    page = runs.root / "compare-a@10-a.html"
    assert page.is_file() and capsys.readouterr().out.endswith(f"\n\npage: {page}\n")
    assert runs.cli("a", "--out", str(tmp_path / "new" / "one.html")) == 0
    assert (tmp_path / "new" / "one.html").is_file()
    names = [f"run{number}" for number in range(40)]
    assert len(page_path(names, runs.root / "a").name) < 120 != page_path(names[:-1], runs.root / "a")


def test_json_is_all_that_is_printed_and_writes_no_page(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    runs.make("a")
    assert runs.cli("a", "--json") == 0
    assert json.loads(capsys.readouterr().out)["arms"]["a"]["role"] == "chosen"
    assert not list(runs.root.glob("*.html"))


def test_a_page_that_cannot_be_written_is_a_sentence(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    runs.make("a")
    assert runs.cli("a", "--out", "/proc/nowhere/page.html") == 2
    assert "/proc/nowhere" in (said := capsys.readouterr().err) and "--out" in said


def test_folders_that_are_no_run_or_have_no_student(runs: Runs, tmp_path: Path) -> None:
    run = runs.make("a")
    (tmp_path / "runs" / "empty").mkdir()
    with pytest.raises(SourceError, match="not a run folder"):
        runs.compare("empty")
    recipe = Path(__file__).parents[1] / "recipes" / "methods" / "self_instruct.yaml"
    shutil.copytree(run, runs.root / "data")
    (runs.root / "data" / "recipe.resolved.yaml").write_text(dump(load_recipe(recipe)), encoding="utf-8")
    with pytest.raises(SourceError, match="names no student"):
        runs.compare("data")
