"""Two runs with a teacher that answers with the question: the second takes what the first kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.cli import main
from tests.conftest import Run

QUESTIONS = [f"What is the number {number} good for in the town of {chr(65 + number)}?" for number in range(12)]
FIRST: dict[str, Any] = {
    "name": "first",
    "teacher": {"model": "./teacher", "engine": {"kind": "echo"}},
    "real": {"asked": {"data": "asked.jsonl", "prompt": "q", "answer": "a", "terms": ["cc-by-4.0"]}},
    "split": {"held_out_prompts": 2},
    "generate": {"rows": 11, "methods": [{"kind": "answer", "prompts": "asked"}], "budget": {"candidates": 24}},
    "filter": [
        {"kind": "finished"},
        {"kind": "length", "min_tokens": None, "max_tokens": None, "max_words": 14},
        {"kind": "privacy", "action": "redact"},
    ],
    "mix": {"real_fraction": 0.25},
}
SECOND: dict[str, Any] = {
    **FIRST,
    "name": "second",
    "real": {"taken": {"data": "run:first/filter"}},
    "split": {"held_out_prompts": 0},
    "generate": {
        "rows": 3,
        "methods": [{"kind": "answer", "prompts": "taken", "system": "Be brief."}],
        "budget": {"candidates": 24},
    },
    "mix": {"real_fraction": 0},
}


def run_of(folder: Path, recipe: dict[str, Any]) -> Run:
    path = folder / f"{recipe['name']}.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    run = Run(str(path), folder / "runs", folder / "cache")
    assert main(["run", run.recipe, *run.options]) == 0
    return run


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The second; the first lies beside it."""
    folder = tmp_path_factory.mktemp("two_runs")
    (folder / "teacher").mkdir()
    (folder / "teacher" / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    asked = [*QUESTIONS, "Is ann.smith@gmail.com the address of somebody in this town?", "Why? " * 20]
    lines = [
        f'{{"q": "{question}", "a": "It is good for the count of {number}."}}' for number, question in enumerate(asked)
    ]
    (folder / "asked.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run_of(folder, FIRST)
    return run_of(folder, SECOND)
