from __future__ import annotations

from pathlib import Path

import pytest

from tests.train.small import make_row, put


@pytest.fixture
def folder(tmp_path: Path, tiny_model: Path, sharp_model: Path) -> Path:
    """Holds `model`, `teacher`, `mix/train.jsonl` of 40 rows of different lengths, and what a test trains."""
    (tmp_path / "model").symlink_to(tiny_model)
    (tmp_path / "teacher").symlink_to(sharp_model)
    (tmp_path / "mix").mkdir()
    put(tmp_path, [make_row(number) for number in range(40)])
    return tmp_path
