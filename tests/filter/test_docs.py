"""What the pages on filters show is what a recipe takes, and the recipe for a file alone does what its page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from distill.cli import main
from distill.load import load_recipe
from distill.rows import read_rows

ROOT = Path(__file__).parents[2]
FILE = ROOT / "recipes" / "filters" / "file.yaml"
STUDENT = ROOT / "recipes" / "quickstart.yaml"
"""Has a tokenizer to count by."""
SERVED = 'runtime: {servers: {critic: {address: "http://localhost:1/v1"}}}'
TEACHERS = "teachers: {critic: {model: org/critic, engine: {kind: server}}}"
BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in sorted((ROOT / "docs" / "filters").glob("*.md"))
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
    if "kind:" in block
]


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 12


@pytest.mark.parametrize("block", BLOCKS)
def test_examples_are_filters_of_a_recipe(block: str, tmp_path: Path) -> None:
    lines = [f"extends: {STUDENT}", block]
    if "by: critic" in block:  # a name that the pages take for granted
        lines += [SERVED] if "teachers:" in block else [SERVED, TEACHERS]
    (path := tmp_path / "recipe.yaml").write_text("\n".join(lines), encoding="utf-8")
    assert load_recipe(path).filter


def test_the_recipe_for_a_file_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("it asks somebody"))
    rows = tmp_path / "rows.jsonl"
    records = [
        {"instruction": "Name a fruit.", "input": "", "output": "An apple is a fruit.", "text": "### Name a fruit."},
        {"instruction": "Name a fruit!", "input": "", "output": "an apple is a fruit"},
        {"instruction": "Help me.", "output": "I'm sorry, but as an AI language model I cannot help with that."},
        {"instruction": "Nothing?", "output": ""},
    ]
    rows.write_text("".join(json.dumps(record) + "\n" for record in records))
    recipe, folders = str(FILE), ["--cache", str(tmp_path / "cache")]
    assert main(["check", recipe, *folders]) == 0
    assert main(["filter", recipe, "--rows", str(rows), "--preview", *folders]) == 0
    assert main(["filter", recipe, "--rows", str(rows), "--out", str(tmp_path / "out"), *folders]) == 0
    assert [row.question for row in read_rows(tmp_path / "out" / "kept.jsonl")] == ["Name a fruit."]
    dropped = [json.loads(line) for line in (tmp_path / "out" / "dropped.jsonl").read_text().splitlines()]
    assert [one["filter"] for one in dropped] == ["exact_duplicate", "refusal", "finished"]
