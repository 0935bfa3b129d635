"""tokens of the final rows -> teacher-*.arrow: the teacher's distribution at every token that is learnt.

The teacher reads the very ids that the student learns from, rendered in the student's chat template, real rows as well as
its own. Each file is finished by itself: a killed run goes on with those that are missing. How rows are shared out over
files follows from their lengths alone, so that any number of processes makes the same ones.

    teacher-*.arrow    see `distill.soft_targets`
    teacher.json       whose they are: what a student that learns from them inherits
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.context import Context
from distill.engines.batches import plan, share
from distill.engines.open import open_scorer
from distill.engines.teacher import Teacher, descent
from distill.engines.template import Encoded
from distill.protocols import Summary
from distill.rows import Frozen
from distill.score.keep import keep
from distill.soft_targets import About, Cache, Keep, SoftTargets, shard, write

if TYPE_CHECKING:
    from distill.engines.transformers import TransformersEngine

VERSION = 1
SHARD = 1 << 15
"""Tokens of a file, at least: what a kill loses at most, and a few batches."""
SHARDS = 1000
"""Files at most, about."""


class Spec(Frozen):
    teacher: Teacher
    student: str
    """Reference to the model whose tokenizer and template the rows are in."""
    keep: Keep
    temperature: float


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Keep the teacher's distributions of every row.

    Raises:
        TrainError: tokenizers that differ.
        EngineError: a row that is too long for the teacher, or output that is not a number.
    """
    from datasets import Dataset

    from distill.engines import models, vocabulary
    from distill.engines.template import has_template, template_hash

    teacher = descent(spec.teacher, context.resolved)
    ours = models.load_tokenizer(context.resolved[spec.student], context.cache)
    theirs = models.load_tokenizer(context.resolved[spec.teacher.model], context.cache)
    vocabulary.check_same(ours, theirs, spec.student, spec.teacher.model)
    about = About(
        keep=spec.keep,
        temperature=spec.temperature,
        vocabulary=vocabulary.size(ours),
        teacher=teacher.origin,
        template=template_hash(ours),
    )
    rows = Dataset.from_file(str(inputs["tokenise"] / "train.arrow"))
    lengths = list(rows["length"])
    shards = plan(lengths, max(SHARD, sum(lengths) // SHARDS))
    # What one rank sees of a slow shared disk another may not: all must share out the same.
    missing = context.ranks.gather([[number for number in range(len(shards)) if not shard(out, number).exists()]])[0]
    if done := len(shards) - len(missing):
        context.say(f"  score: going on after {done} of {len(shards)} files")
    mine = share(missing, context.ranks.rank, context.ranks.world)
    _score(spec, about, rows, {number: shards[number] for number in mine}, out, context)
    context.ranks.barrier()
    if context.ranks.main:
        (out / "teacher.json").write_text(json.dumps(asdict(teacher), indent=2) + "\n", encoding="utf-8")
    same = has_template(theirs) and template_hash(theirs) == about.template
    notes = [] if same else ["The teacher read the student's chat template, which is not its own."]
    return summarise(Cache(out), sum(lengths), notes)


def _score(spec: Spec, about: About, rows: Any, shards: Mapping[int, list[int]], out: Path, context: Context) -> None:
    """Write these files, each when all of its rows are there. Every rank opens the teacher; who has no file never loads it."""
    from distill.engines import models

    adapter = models.adapter_folder(context.resolved[spec.teacher.adapter]) if spec.teacher.adapter else None
    teacher = open_scorer(spec.teacher.engine, spec.teacher.model, context, adapter=adapter)
    total = sum(map(len, shards.values()))
    bar = context.progress(iter(lambda: 0, 1), total, "score", "row")
    for number, places in shards.items():
        found: list[tuple[str, SoftTargets]] = []
        for part in _batches(rows, places, about, teacher, context.runtime.batch_tokens):
            found += part
            for _ in part:
                next(bar)
        write(shard(out, number), about, found)
    teacher.close()


def _batches(
    rows: Any, places: list[int], about: About, teacher: TransformersEngine, batch_tokens: int
) -> Iterator[list[tuple[str, SoftTargets]]]:
    """The rows of one file with what is kept of them, a batch at a time."""
    records = rows.select(places).to_list()
    asked = [(one["id"], Encoded(one["input_ids"], one["labels"])) for one in records]

    def take(name: str, logits: Any) -> tuple[str, SoftTargets]:
        return name, keep(name, logits, about.keep, about.temperature)

    for batch in plan([one["length"] for one in records], batch_tokens):
        yield teacher.foretell([asked[place] for place in batch], take, about.vocabulary)


def summarise(cache: Cache, tokens: int, notes: list[str]) -> Summary:
    """What the manifest keeps: the settings, and what a token of them takes on disk."""
    import numpy as np

    about, positions, total = cache.about, 0, 0.0
    per_position = "tail" if about.keep.kind == "top_k" else "kept"
    for column in cache.column(per_position):
        values = column.astype(np.float64)
        positions += len(values)
        total += float((np.exp(values) if per_position == "tail" else values).sum())
    return {
        "counts": {"rows": len(cache), "positions": positions},
        "tokens": {"read": tokens},
        "bytes_per_token": round(cache.bytes / max(positions, 1), 1),
        {"tail": "tail_mass", "kept": "ids_per_token"}[per_position]: total / max(positions, 1),
        **about.model_dump(mode="json"),
        "notes": notes,
    }
