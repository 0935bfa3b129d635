"""real rows that the filters kept -> train.jsonl for a student that learns from them alone: what the teacher added is
what another student is better by.

train.jsonl        every real row of the training side once, in a seeded shuffle; training repeats them
validation.jsonl   the rows that the other student's training is watched on, the same ones
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from distill.context import Context
from distill.errors import DistillError
from distill.mix.earlier import TAUGHT, shuffled
from distill.mix.stage import prove_apart
from distill.names import REAL_ONLY
from distill.protocols import Summary
from distill.rows import Frozen, read_rows, write_rows
from distill.suites import heldout

VERSION = 1
WATCHED = "validation.jsonl"


class Spec(Frozen):
    seed: int


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write the rows.

    Raises:
        DistillError: there are none, or one's prompt is evaluated on.
    """
    path = inputs["mix"] / WATCHED
    watched = list(read_rows(path)) if path.exists() else []
    aside = {root for row in watched for root in row.roots}
    there = [row for row in read_rows(inputs["filter"] / "real.jsonl") if row.kind in TAUGHT]
    rows = [row for row in there if not row.roots & aside]
    if not rows:
        raise DistillError(
            f"no real row is left to learn from: the filters kept {len(there)}, and the training is watched on those",
            where=f"evaluate.{REAL_ONLY}",
            hint="give more real data, set mix.validation_rows lower, or leave this arm out",
        )
    prove_apart([*rows, *watched], heldout.evaluated(inputs))
    if context.ranks.main:
        write_rows(out / "train.jsonl", shuffled(rows, spec.seed, "train"))
        if watched:
            shutil.copyfile(path, out / WATCHED)
    return {"counts": {"train_rows": len(rows), **({"validation_rows": len(watched)} if watched else {})}}
