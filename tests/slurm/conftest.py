from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.slurm.cluster import cluster, missing
from tests.train.small import WORDS


@pytest.fixture(scope="module")
def slurm() -> Iterator[None]:
    if reason := missing():
        pytest.skip(reason)
    with cluster() as conf, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(conf))
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        patch.setenv("DISTILL_QUIET", "1")
        patch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin")
        yield


@pytest.fixture
def recipe(tmp_path: Path, tiny_model: Path) -> Path:
    """A recipe that takes no time: the tiny model learns from rows, its teacher says the question again."""
    rows = [
        {"prompt": f"Say {number} {WORDS[number % 17]}.", "answer": " ".join(WORDS[number % 9 : number % 9 + 6])}
        for number in range(40)
    ]
    (tmp_path / "chat.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = {
        "name": "small",
        "teacher": {"model": str(tiny_model), "engine": {"kind": "echo"}, "terms": ["mit"]},
        "student": {"model": str(tiny_model), "lora": {"r": 4}, "terms": ["mit"]},
        "real": {"chat": {"data": "chat.jsonl", "prompt": "prompt", "answer": "answer", "terms": ["mit"]}},
        "split": {"held_out_prompts": 8},
        "generate": {
            "rows": 12,
            "methods": [{"kind": "answer", "prompts": "chat"}],
            "sampling": {"max_new_tokens": 16},
        },
        "filter": [{"kind": "finished"}],
        "train": {"max_steps": 20, "batch_size": 4, "dtype": "float32", "checkpoint_every": 2, "learning_rate": 0.005},
        "evaluate": {
            "primary": "heldout_real.chrf",
            "suites": ["heldout_real"],
            "generation": {"items": 4, "max_new_tokens": 4},
            "dtype": "float32",
        },
        "runtime": {"launch": {"train": "cpu"}, "slurm": {"all": {"memory": "2G", "time": "1:00:00"}}},
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(made))
    return path
