"""tokens -> adapter/ or weights/, checkpoints/, log.jsonl, student.json, README.md: the student learns.

adapter/                     LoRA weights of the checkpoint that is kept (`train.checkpoint`); of all weights, weights/ instead
checkpoints/checkpoint-N/    the same after N steps: a model of its own, to be evaluated or taken up by another run
log.jsonl                    one line a step, with the loss on real rows at each checkpoint
checkpoints.jsonl            one line a checkpoint
student.json                 base, layers taken out, adapter or weights, template, depth, terms: a folder with it is a model
summary.json                 what `run` returned, written when all else is: a killed run does not train twice
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from distill.context import Context
from distill.protocols import Summary
from distill.train.settings import Spec

if TYPE_CHECKING:
    from distill.train.how import How
    from distill.train.loop import Trained
    from distill.train.watch import Watched

VERSION = 5


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Train, or go on where a killed run left `out`, and write the student.

    Raises:
        TrainError: see `loop.train` and `data.read`.
    """
    from distill.engines import layers, models
    from distill.engines.template import template_hash
    from distill.train import loop, matched, order, result, validate
    from distill.train.objectives import open_how
    from distill.train.origin import origin
    from distill.train.watch import Watched

    summary = context.ranks.gather([result.summary_of(out)])[0]  # the first rank decides for all
    if summary is None:
        student = spec.student.model_copy(update={"drop_layers": layers.taken_out(spec.student.drop_layers, inputs)})
        spec = spec.model_copy(update={"student": student})
        source, train = context.resolved[student.model], spec.train
        how = open_how(spec, inputs, context)
        rows = how.read()
        wanted = matched.wanted(spec, inputs)
        if wanted is None:
            steps = order.plan(rows.lengths, train.batch_size, train.epochs, train.max_steps, spec.seed, how.whole)
        else:
            steps = order.match(rows.lengths, rows.learnt, wanted, train.batch_size, spec.seed)
            spec = spec.model_copy(update={"train": train.model_copy(update={"batch_size": len(steps[0])})})
        template = template_hash(models.load_tokenizer(source, context.cache))
        real = validate.read(inputs["tokenise"] / "validation.arrow", train.max_length)
        about = origin(spec, rows, steps, template)
        watched = Watched(rows, steps, out, template, context, train, real, about, how.measured)
        start = inputs[spec.after] if spec.after else None
        trained = loop.train(spec, source, how, watched, start)
        summary = summarise(trained, watched, train.batch_size, how)
        if wanted is not None:
            summary = matched.said(summary, watched, wanted)
        if context.ranks.main:
            adapter = context.resolved[student.adapter] if student.adapter else None
            learnt = result.rows_of(inputs["mix"] / f"{train.READS}.jsonl", rows.ids)
            taught = result.taught_by(spec, inputs, context)
            asked = result.asked_about(inputs["mix"])
            result.write(spec, source, watched, learnt, trained.kept, summary, start, adapter, taught, asked)
    context.ranks.barrier()
    if context.ranks.main:
        result.tidy(out)
    context.ranks.barrier()
    return summary


def summarise(trained: Trained, watched: Watched, batch_size: int, how: How) -> Summary:
    """What the manifest keeps: the same however often the run was killed and whatever processes it had."""
    rows = watched.data
    kept, steps = trained.kept, watched.steps[: trained.kept.ended]
    places = [row for step in steps for row in step if row >= 0]
    lengths, learning = rows.lengths, rows.learnt
    taught = sum(learning[row] for row in places)
    learnt = sum(step["tokens"] for step in trained.steps)
    notes = [*kept.notes(len(watched.validation or ())), *how.notes(trained.steps)]
    if watched.learning.patience and not watched.validation:
        notes.append("There are no real rows to watch the training on, so that train.patience could not end it.")
    if rows.too_long:
        notes.append(f"{rows.too_long} training rows were longer than train.max_length and were left out.")
    if len(rows) < batch_size:
        notes.append(f"There are {len(rows)} training rows, fewer than one step of {batch_size} has places for.")
    return {
        "counts": {
            "requested": len(rows) + rows.too_long,
            "rows": len(rows),
            "too_long": rows.too_long,
            "steps": len(steps),
            "supervised_tokens": learnt,
            "trainable_parameters": trained.learner.trainable,
        },
        "tokens": {"read": sum(lengths[row] for row in places) - taught, "learnt": learnt},
        "loss": {"first": trained.steps[0]["loss"], "last": trained.steps[-1]["loss"]},
        "kept": asdict(kept),
        "template": watched.template,
        "notes": notes,
    }
