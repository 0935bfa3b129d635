"""A recipe of tiny random models: a whole run of the machinery in seconds, and nothing learnt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from distill.load import load_recipe
from distill.workspace import Workspace


def write_recipe(folder: Path, model: Path, teacher: Path, **changes: Any) -> Path:
    """`folder/recipe.yaml`, and its data beside it."""
    questions = [{"q": f"What is thing number {i}?", "a": f"It is {'very ' * (i % 4)}thing {i}."} for i in range(60)]
    (folder / "data.jsonl").write_text("".join(json.dumps(one) + "\n" for one in questions))
    recipe = {
        "name": "small",
        "seed": 3,
        "teacher": {"model": str(teacher), "engine": {"kind": "transformers", "dtype": "float32"}},
        "student": {"model": str(model), "drop_layers": [1], "lora": {"r": 4, "alpha": 8}},
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
