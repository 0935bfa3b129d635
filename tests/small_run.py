"""A recipe of tiny random models: a whole run of the machinery in seconds, and nothing learnt."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.load import load_recipe
from distill.workspace import Workspace
from tests.train.small import interrupted_at


def write_recipe(folder: Path, tiny: Path, sharp: Path, **changes: Any) -> Path:
    """`folder/recipe.yaml`, and its data beside it."""
    questions = [{"q": f"What is thing number {i}?", "a": f"It is {'very ' * (i % 4)}thing {i}."} for i in range(60)]
    (folder / "data.jsonl").write_text("".join(json.dumps(one) + "\n" for one in questions))
    recipe = {
        "name": "small",
        "seed": 3,
        "teacher": {"model": str(sharp), "engine": {"kind": "transformers", "dtype": "float32"}},
        "student": {"model": str(tiny), "drop_layers": [1], "lora": {"r": 4, "alpha": 8}},
        "real": {"chat": {"data": "data.jsonl", "prompt": "q", "answer": "a"}},
        "split": {"held_out_prompts": 8},
        "generate": {
            "rows": 12,
            "methods": [{"kind": "answer", "prompts": "chat"}],
            "sampling": {"temperature": 0.9, "max_new_tokens": 6},
        },
        "filter": [],
        "mix": {"validation_rows": 2},
        "train": {"max_steps": 6, "batch_size": 4, "dtype": "float32", "checkpoint_every": 2, "learning_rate": 0.01},
        "evaluate": {
            "suites": ["heldout_real"], "primary": "heldout_real.loss", "dtype": "float32", "generation": {"items": 0},
        },
    }  # fmt: skip
    for section, fields in changes.items():
        recipe[section] = {**recipe[section], **fields} if isinstance(fields, dict) and section in recipe else fields  # type: ignore[dict-item]
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return path


def open_run(folder: Path, recipe: Path) -> Workspace:
    """The run of a recipe, with folders of its own under `folder`."""
    workspace = Workspace(load_recipe(recipe), folder, folder / "runs", folder / "cache")
    workspace.save_recipe()
    return workspace


def make(workspace: Workspace, until: str) -> None:
    """Make a node and all that it needs, in this process."""
    wanted = workspace.wanted(until)
    for node in workspace.nodes:
        if node.name in wanted:
            workspace.link(node.name, workspace.make(node.name)[0])


REVISION = "0123456789abcdef0123456789abcdef01234567"
DECLARED: dict[str, Any] = {
    "teacher": {"terms": ["apache-2.0"]},
    "real": {"chat": {"data": "data.jsonl", "prompt": "q", "answer": "a", "terms": ["cc0-1.0"]}},
}


def finished(folder: Path, tiny: Path, sharp: Path) -> Workspace:
    """A run up to its report, with students of two seeds and of real rows alone, all by one training that was interrupted
    once. The student is a model of the hub, which lies in `folder/hub`; the teacher is named by its whole path."""
    base = folder / "hub" / "models--org--base"
    (base / "refs").mkdir(parents=True)
    (base / "refs" / "main").write_text(REVISION)
    (base / "snapshots").mkdir()
    (base / "snapshots" / REVISION).symlink_to(tiny)
    changes: dict[str, Any] = {
        **DECLARED,
        "student": {"model": "org/base", "drop_layers": [], "lora": {"r": 4, "alpha": 8}, "terms": ["apache-2.0"]},
        "evaluate": {"real_only": True, "seeds": 2},
        "runtime": {"report_to": ["tensorboard"] if find_spec("tensorboardX") else []},
    }
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "hub"))
        workspace = open_run(folder, write_recipe(folder, tiny, sharp, **changes))
        make(workspace, "tokenise")
        with interrupted_at(5):
            workspace.make("train")
        make(workspace, "compare")
    return workspace
