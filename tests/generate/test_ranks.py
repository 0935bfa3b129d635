"""Two processes write what one writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.context import Context, Ranks, Resolved
from distill.generate.settings import Spec
from distill.generate.stage import run
from tests.generate.conftest import MODEL

GENERATE = {
    "rows": 20,
    "methods": [
        {"kind": "answer", "prompts": "chat", "share": 0.8},
        {"kind": "answer", "prompts": "chat", "system": "Be brief.", "share": 0.2},
    ],
}


def write(rank: int, world: int, folder: Path, split: Path) -> None:
    """What each process does."""
    import torch.distributed as dist

    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world)
    out = folder / str(rank)
    out.mkdir(parents=True)
    teacher = {"model": MODEL, "engine": {"kind": "echo"}}
    spec = {"teachers": {"teacher": teacher}, "generate": GENERATE, "filter": (), "seed": 7}
    resolved = {MODEL: Resolved(MODEL, folder, "abc", ("mit",))}
    context = Context(folder / "cache", resolved, ranks=Ranks(rank, world))
    run(Spec.model_validate(spec), {"split": split}, out, context)
    if world > 1:
        dist.destroy_process_group()


@pytest.mark.distributed
def test_two_processes_write_what_one_writes(tmp_path: Path, split: Path) -> None:
    import torch.multiprocessing as processes

    for world in (1, 2):
        (tmp_path / f"world{world}").mkdir()
    write(0, 1, tmp_path / "world1", split)
    processes.spawn(write, (2, tmp_path / "world2", split), nprocs=2)
    one, two = (tmp_path / f"world{world}" / "0" / "rows.jsonl" for world in (1, 2))
    assert one.read_bytes() == two.read_bytes()
    assert len(one.read_text().splitlines()) == 22
    assert list((tmp_path / "world2" / "1").iterdir()) == []
    stored = [path.read_text().splitlines() for path in (tmp_path / "world2" / "cache").rglob("*.jsonl")]
    assert len(stored) == 2
    assert all(stored), "both processes answered"
