"""The same questions through suite `numbers` and through the harness, on SmolLM2: one prompt, one answer, one score per item.

./scripts/test.sh -m slow tests/suites/harness/test_numbers.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("lm_eval")

from distill.context import Context
from distill.engines.models import load_tokenizer
from distill.engines.template import render
from distill.evaluate import stage
from distill.evaluate.settings import Spec
from distill.rows import Row, read_rows
from distill.sources import references
from distill.suites import stage as suites
from distill.suites.kinds import AnySuite
from distill.suites.lm_eval import LmEval
from distill.suites.numbers import Numbers
from tests.conftest import SMOL

ROOT = Path(__file__).parents[3]
GSM8K = ROOT.parent / "shared" / "data" / "gsm8k_train.jsonl"
"""Rows of GSM8K beside the checkout, where there are any: they are not part of it."""
INSTRUCTION = "{{ question }}\n\nThink briefly, and end with the number."
TOKENS = 48
TASK: dict[str, Any] = {
    "task": "sums",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": "sums.jsonl"}},
    "output_type": "generate_until",
    "test_split": "test",
    "num_fewshot": 0,
    "doc_to_text": INSTRUCTION,
    "doc_to_target": "{{answer.split('#### ')[-1]}}",
    "generation_kwargs": {"until": [], "do_sample": False, "max_gen_toks": TOKENS},
    "metric_list": [
        {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True, "regexes_to_ignore": [",", "\\.$"]}
    ],
    "filter_list": [
        {
            "name": "last",
            "filter": [
                {"function": "regex", "group_select": -1, "regex_pattern": "(-?[0-9][0-9.,]*)"},
                {"function": "take_first"},
            ],
        }
    ],
}


def questions() -> list[dict[str, str]]:
    """Ten of one step, written for this project, and four of GSM8K."""
    own = (ROOT / "recipes" / "data" / "arithmetic.jsonl").read_text(encoding="utf-8").splitlines()[20:30]
    theirs = GSM8K.read_text(encoding="utf-8").splitlines()[:4] if GSM8K.is_file() else []
    return [{name: json.loads(line)[name] for name in ("question", "answer")} for line in (*own, *theirs)]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_same_rows_have_the_same_prompt_answer_and_score(tmp_path: Path) -> None:
    (folder := tmp_path / "tasks").mkdir()
    (folder / "sums.jsonl").write_text("".join(json.dumps(one) + "\n" for one in questions()))
    (folder / "sums.yaml").write_text(yaml.safe_dump(TASK))
    data = str(folder / "sums.jsonl")
    cache = tmp_path / "cache"
    named = {ref: references.resolve(ref, "data", tmp_path, tmp_path, cache) for ref in (data, str(folder))}
    model = references.resolve(SMOL, "model", tmp_path, tmp_path, cache)
    context = Context(cache, {**named, SMOL: model})
    source = {"data": data, "prompt": "question", "answer": "answer"}
    asked: tuple[AnySuite, ...] = (
        Numbers.model_validate({"source": source, "instruction": INSTRUCTION, "max_new_tokens": TOKENS}),
        LmEval(tasks=("sums",), include=str(folder)),
    )
    for name in ("suites", "evaluate"):
        (tmp_path / name).mkdir()
    suites.run(suites.Spec(suites=asked), {}, tmp_path / "suites", context)
    spec = {"arm": "teacher", "model": SMOL, "dtype": "float32", "generation": {}, "suites": asked}
    stage.run(Spec.model_validate(spec), {"suites": tmp_path / "suites"}, tmp_path / "evaluate", context)

    tokenizer = load_tokenizer(model, cache)
    rows = {row.id: row for label in ("numbers", "sums") for row in read_rows(tmp_path / "suites" / f"{label}.jsonl")}
    found: dict[str, dict[str, Any]] = {"numbers": {}, "sums": {}}
    for line in map(json.loads, (tmp_path / "evaluate" / "items.jsonl").read_text(encoding="utf-8").splitlines()):
        found[line["suite"]][_prompt(tokenizer, rows[line["item"]])] = line
    assert len(found["sums"]) == len(questions()) and found["numbers"].keys() == found["sums"].keys(), "the prompts"
    right = 0
    for prompt, ours in found["numbers"].items():
        theirs = found["sums"][prompt]
        assert ours["answer"].strip() == theirs["answer"].strip()
        score = theirs["metrics"]["exact_match/last"]["value"]
        assert ours["metrics"]["correct"]["value"] == score, (ours["found"], theirs["found"], ours["reference"])
        right += int(score)
    assert 0 < right < len(questions()), "both kinds are there"


def _prompt(tokenizer: Any, row: Row) -> str:
    return render(tokenizer, row.prompt, generate=True)
