"""Arms that training makes, in a whole run of tiny models; and what their page shows is what a recipe takes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from distill.load import load_recipe
from distill.rows import read_rows
from distill.sources.references import resolve
from distill.workspace import Workspace

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "arms.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_what_the_page_shows_is_what_a_recipe_takes(block: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"extends: {ROOT / 'recipes' / 'quickstart.yaml'}\n{block}", encoding="utf-8")
    recipe = load_recipe(path)
    assert len(recipe.arms) > 3 and len(BLOCKS) == 4


def test_students_of_real_rows_and_of_other_seeds_are_reported_beside_the_first(
    small_run: Workspace, tmp_path: Path
) -> None:
    run = small_run.run_folder
    report = json.loads((run / "6-compare" / "report.json").read_text())
    assert list(report["arms"]) == ["teacher", "base", "student", "student#2", "real_only"]
    assert report["arms"]["student#2"]["origin"].endswith("trained, seed 2")
    assert report["arms"]["real_only"]["origin"].endswith("trained on real rows alone")
    metric = report["metrics"]["heldout_real.loss"]
    means = [score["mean"] for name, score in (*metric["arms"].items(), *metric["seeds"].items()) if name != "student"]
    assert list(metric["seeds"]) == ["student", "student#2"] and "real_only" in metric["arms"]
    assert len({*means, metric["seeds"]["student"]["mean"]}) == 5, "five models"
    assert ["student", "real_only"] in [[pair["a"], pair["b"]] for pair in metric["paired"]]

    def manifest(folder: str) -> dict[str, object]:
        found: dict[str, object] = json.loads((run / folder / "manifest.json").read_text())["summary"]
        return found

    own, alone = manifest("4-train"), manifest("4-train@real_only")
    assert alone["matched"] == {
        "steps": own["counts"]["steps"],  # type: ignore[index]
        "tokens": alone["counts"]["supervised_tokens"],  # type: ignore[index]
        "wanted": own["counts"]["supervised_tokens"],  # type: ignore[index]
    }
    assert any(note.startswith("train@real_only: In 6 steps it learnt") for note in report["notes"])
    rows = list(read_rows(run / "3-mix@real_only" / "train.jsonl"))
    assert rows and {row.provenance.source for row in rows} == {"real"}
    for node in ("train#2", "train#2@4", "train@real_only"):
        found = resolve(f"run:small/{node}", "model", tmp_path, small_run.runs, small_run.cache)
        assert (found.path / "student.json").is_file()
