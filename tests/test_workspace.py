from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distill.errors import DistillError, NotFetchedError
from distill.recipe import Recipe
from distill.sources import references
from distill.workspace import Workspace, reopen
from tests.test_pipeline import BASE


def workspace(folder: Path, **changes: Any) -> Workspace:
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps({"q": f"question {i}", "a": f"answer {i}"}) + "\n" for i in range(40)))
    real = {"chat": {"data": str(data), "prompt": "q", "answer": "a"}}
    models = {"teacher": {"model": "org/teacher"}, "student": {"model": "org/student@v1"}}
    alone = {key: value for key, value in BASE.items() if key not in ("teachers", "benchmark")}
    recipe = Recipe.model_validate({**alone, "real": real, **models, **changes})
    return Workspace(recipe, folder, folder / "runs", folder / "cache")


def test_what_is_locked_stays_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(ref: str, what: str, base: Path) -> str | None:  # noqa: ARG001
        asked.append(ref)
        return ref.partition("@")[2] or "today" if ref.startswith("org/") else None

    monkeypatch.setattr(references, "fetch", fetch)
    space = workspace(tmp_path)
    (tmp_path / "x.lock.json").write_text(json.dumps({"org/teacher": "c0ffee", "org/other": "beef"}))
    space.fetch()
    assert "org/teacher@c0ffee" in asked
    locked = json.loads((tmp_path / "x.lock.json").read_text())
    assert locked == {"org/teacher": "c0ffee", "org/other": "beef", "org/student@v1": "v1"}


def test_every_model_that_is_not_here_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(NotFetchedError) as caught:
        _ = workspace(tmp_path).resolved
    assert "org/teacher" in str(caught.value)
    assert "org/student" in str(caught.value)


def small(folder: Path, **changes: Any) -> Workspace:
    """Models are files, so that everything is here."""
    (folder / "m.gguf").write_bytes(b"GGUF")
    model = {"model": str(folder / "m.gguf")}
    return workspace(folder, teacher=model, student=model, **changes)


def test_too_few_real_rows_are_an_error_before_the_teacher_is_asked(tmp_path: Path) -> None:
    space = small(tmp_path, mix={"real_fraction": 0.9})
    space.make("split")
    with pytest.raises(DistillError, match=r"needs 90 real rows, and at most 32 are there"):
        space.make("heldout")


def test_a_node_that_misses_what_it_needs_says_which(tmp_path: Path) -> None:
    with pytest.raises(DistillError, match="needs mix"):
        small(tmp_path).make("train")


def test_links_of_nodes_that_the_recipe_lost_are_taken_away(tmp_path: Path) -> None:
    space = small(tmp_path)
    space.save_recipe()
    artifact, _ = space.make("split")
    space.link("split", artifact)
    (space.run_folder / "5-evaluate-student@9").symlink_to(artifact.path)
    space.save_recipe()
    assert sorted(path.name for path in space.run_folder.glob("[0-9]-*")) == ["0-split"]


def test_a_run_reopens_as_it_was(tmp_path: Path) -> None:
    space = small(tmp_path)
    space.save_recipe()
    again = reopen(space.run_folder, space.cache)
    assert {name: one.key for name, one in again.planned.items()} == {
        name: one.key for name, one in space.planned.items()
    }
    with pytest.raises(DistillError, match="not a run folder"):
        reopen(tmp_path, space.cache)


def test_why_names_the_field_after_a_change(tmp_path: Path) -> None:
    space = small(tmp_path)
    artifact, _ = space.make("split")
    space.link("split", artifact)
    other = small(tmp_path, split={"held_out_prompts": 9})
    assert other.why("split") == ["split.held_out_prompts: 8 -> 9"]
    assert other.why("train") == ["not made yet"]


def test_a_preview_of_a_recipe_whose_teacher_writes_nothing_opens_nothing(tmp_path: Path) -> None:
    """No model is on this machine: nothing of what the filters read is looked for before it is said."""
    space = workspace(tmp_path, mix={"real_fraction": 1})
    with pytest.raises(DistillError, match="the teacher writes nothing"):
        space.preview(3)
