"""Two processes, that meet through gloo, write what one writes: filters that judge a row alone, a memory, a pool."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from distill.context import Context, Ranks
from distill.filter import chain
from distill.filter.bindings import Bindings, FilterSpec
from distill.filter.duplicates.near import ExactDuplicate, NearDuplicate
from distill.filter.stage import Spec, run
from distill.filter.text.finished import Finished
from distill.filter.text.refusal import Refusal
from distill.filter.text.repetition import Repetition
from distill.protocols import Filter, Scope, Verdict
from distill.rows import Row
from tests.filter.make import chat
from tests.filter.test_stage import folders


class Shortest(FilterSpec):
    """Drops the shortest answers of all."""

    kind: Literal["shortest"] = "shortest"
    scope: ClassVar[Scope] = "pool"

    def bind(self, bindings: Bindings) -> Filter:  # noqa: ARG002
        return _Shortest()


class _Shortest:
    kind = "shortest"
    scope: Scope = "pool"

    def __init__(self) -> None:
        self.least = 10**9

    def survey(self, rows: Sequence[Row]) -> None:
        self.least = min([self.least, *(len(row.answer) for row in rows)])

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        return [Verdict(len(row.answer) > self.least, "shortest", len(row.answer)) for row in rows]


def rows() -> list[Row]:
    made = [chat(f"question {n}", f"an answer that is number {n}", method="answer") for n in range(60)]
    made[5], made[41] = chat("cut", "off", finish="length"), made[3]
    made[17] = chat("again", "and on " * 60)
    return made


def judge(rank: int, world: int, folder: Path, inputs: dict[str, Path]) -> None:
    """What each process does."""
    import torch.distributed as dist

    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world)
    chain.BATCH_ROWS = 7
    filters = (Finished(), Repetition(), ExactDuplicate(), Shortest(), NearDuplicate(), Refusal())
    spec = Spec.model_construct(
        filter=filters, rows=40, shares={"answer": 1.0}, min_yield=0, student=None, teachers={}, oversample=1.0
    )
    out = folder / str(rank)
    out.mkdir(parents=True)
    run(spec, inputs, out, Context(folder / "cache", {}, ranks=Ranks(rank, world)))
    if world > 1:
        dist.destroy_process_group()


@pytest.mark.distributed
def test_two_processes_write_what_one_writes(tmp_path: Path) -> None:
    import torch.multiprocessing as processes

    inputs = folders(tmp_path, rows(), [chat("real", "answer", real=True)])
    for world in (1, 2):
        (tmp_path / f"world{world}").mkdir()
    judge(0, 1, tmp_path / "world1", inputs)
    processes.spawn(judge, (2, tmp_path / "world2", inputs), nprocs=2)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / f"world{n}" / "0").iterdir()} for n in (1, 2))
    assert one == two and set(one) == {"kept.jsonl", "real.jsonl", "dropped.jsonl", "ledger.json"}
    for reason in ("shortest.shortest", "finished.truncated", "exact_duplicate.same_pair", "repetition."):
        assert reason in one["ledger.json"].decode()
    assert list((tmp_path / "world2" / "1").iterdir()) == []
