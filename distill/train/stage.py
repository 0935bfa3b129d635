"""tokens -> adapter/, checkpoints/, log.jsonl, student.json, README.md: the student learns.

adapter/                     LoRA weights after the last step
checkpoints/checkpoint-N/    the same after N steps: a model of its own, to be evaluated or taken up by another run
log.jsonl                    one line a step
student.json                 base, layers taken out, adapter, template, depth, terms: a folder with it is a model
summary.json                 what `run` returned, written when all else is: a killed run does not train twice
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from distill.context import Context
from distill.protocols import Summary
from distill.train.settings import Spec

if TYPE_CHECKING:
    from distill.train.how import How
    from distill.train.loop import Trained
    from distill.train.watch import Watched

VERSION = 3


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Train, or go on where a killed run left `out`, and write the student.

    Raises:
        TrainError: see `loop.train` and `data.read`.
    """
    from distill.engines import models
    from distill.engines.template import template_hash
    from distill.train import loop, order, result
    from distill.train.how import open_how
    from distill.train.watch import Watched

    summary = context.ranks.gather([result.summary_of(out)])[0]  # the first rank decides for all
    if summary is None:
        source, train = context.resolved[spec.student.model], spec.train
        how = open_how(spec, inputs, context)
        rows = how.read()
        steps = order.plan(rows.lengths, train.batch_size, train.epochs, train.max_steps, spec.seed, how.whole)
        template = template_hash(models.load_tokenizer(source, context.cache))
        watched = Watched(rows, steps, out, template, context, train.dtype == "float16", how.measured)
        start = inputs[spec.after] if spec.after else None
        trained = loop.train(spec, source, how, watched, start)
        summary = summarise(trained, watched, train.batch_size, how)
        if context.ranks.main:
            learnt = result.rows_of(inputs["mix"] / f"{train.READS}.jsonl", rows.ids)
            result.write(spec, source, watched, learnt, trained.model, summary, start)
    context.ranks.barrier()
    if context.ranks.main:
        result.tidy(out)
    context.ranks.barrier()
    return summary


def summarise(trained: Trained, watched: Watched, batch_size: int, how: How) -> Summary:
    """What the manifest keeps: the same however often the run was killed and whatever processes it had."""
    rows = watched.data
    places = [row for step in watched.steps for row in step if row >= 0]
    lengths, learning = rows.lengths, rows.learnt
    taught = sum(learning[row] for row in places)
    measured = [how.measured(step) for step in trained.steps]
    learnt = taught + sum(int(step.get("tokens", 0)) for step in measured)
    notes = how.notes(measured)
    if rows.too_long:
        notes.append(f"{rows.too_long} training rows were longer than train.max_length and were left out.")
    if len(rows) < batch_size:
        notes.append(f"There are {len(rows)} training rows, fewer than one step of {batch_size} has places for.")
    return {
        "counts": {
            "requested": len(rows) + rows.too_long,
            "rows": len(rows),
            "too_long": rows.too_long,
            "steps": len(watched.steps),
            "supervised_tokens": learnt,
            "trainable_parameters": trained.trainable,
        },
        "tokens": {"read": sum(lengths[row] for row in places) - taught, "learnt": learnt},
        "loss": {"first": trained.steps[0]["loss"], "last": trained.steps[-1]["loss"]},
        "template": watched.template,
        "notes": notes,
    }
