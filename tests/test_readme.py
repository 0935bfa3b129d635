"""README.md and the other pages against the repository: the tree of CONTRIBUTING.md, the links, the commands, the recipe."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def test_the_tree_lists_exactly_the_files_there_are() -> None:
    result = subprocess.run(
        [sys.executable, "scripts/tree.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"run `make tree`, then write the comments\n{result.stdout}{result.stderr}"


def test_the_page_of_fields_is_as_the_specs_are() -> None:
    result = subprocess.run(
        [sys.executable, "scripts/fields.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_are_named_exist(page: Path) -> None:
    named = re.findall(
        r"(?:scripts|recipes|accelerate_configs|docs|tests)/[\w./-]+\w", page.read_text(encoding="utf-8")
    )
    absent = [name for name in named if not (ROOT / name).exists() and "RECIPE" not in name]
    assert not absent


def test_the_table_has_every_command() -> None:
    from distill.cli import main

    with pytest.raises(SystemExit):
        main(["--help"])
    named = re.findall(r"^\| `distill (\w+)", README, re.MULTILINE)
    assert named == [
        *(
            "check",
            "plan",
            "fetch",
            "run",
            "slurm",
            "filter",
            "show",
            "compare",
            "trace",
            "withdraw",
            "verify",
            "terms",
        ),
        *("evaluate", "export", "push", "generations", "sweep", "schema"),
    ]
    for command in named:
        with pytest.raises(SystemExit) as stopped:
            main([command, "--help"])
        assert stopped.value.code == 0


def test_the_recipe_on_the_page_is_one(tmp_path: Path) -> None:
    from distill.load import load_recipe

    text = next(block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if block.startswith("name:"))
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_recipe(path).name == "greetings"
