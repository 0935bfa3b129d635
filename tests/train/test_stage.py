from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from distill.context import Context
from distill.train import stage
from tests.train.conftest import spec_of


def test_x(mix: Path, tmp_path: Path, context_of: Callable[..., Context]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    import time

    t = time.time()
    s = stage.run(spec_of(), {"mix": mix}, out, context_of())
    print(s, time.time() - t)
    print((out / "log.jsonl").read_text())
    for p in sorted(out.rglob("*")):
        print(p.relative_to(out), p.stat().st_size if p.is_file() else "")
    print((out / "student.json").read_text())
    print((out / "README.md").read_text())
