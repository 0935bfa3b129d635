"""one arm + held-out rows -> items.jsonl: one line an item, with every score the comparison needs.

    items.jsonl           {"suite", "item", "root", "question", "reference", "answer", "metrics", "error"}
    teacher.safetensors   from the teacher only: its next-token distributions, which the other arms are measured against

It knows nothing of the other arms but the teacher's distributions, and takes no mean: that is the comparison's work. An
item that could not be scored carries its reason in `error` and no number in place of the missing one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

from pydantic import Field

from distill.context import Context
from distill.engines import layers, models
from distill.engines.layers import DropLayers
from distill.engines.open import AnyEngine, scores
from distill.engines.placement import Quantization
from distill.engines.spent import Spent
from distill.engines.teacher import MAIN
from distill.engines.transformers import Dtype, Transformers
from distill.errors import DistillError
from distill.evaluate import arms, metrics, scoring
from distill.evaluate import teacher as teachers
from distill.evaluate.answers import Item, chosen, greedy
from distill.evaluate.arms import Arm
from distill.evaluate.scoring import Scored
from distill.evaluate.teacher import Teacher
from distill.protocols import Completion, Scorer, Summary
from distill.rows import Frozen
from distill.suites import heldout

VERSION = 1
Suite = Literal["heldout_teacher", "heldout_real"]
TEACHER = "evaluate/teacher"
MUTE = "the engine `{}` gives no token probabilities"
EMPTY: dict[Suite, str] = {
    "heldout_teacher": "raise generate.sampling.max_new_tokens if the teacher's held-out answers were all cut, or "
    "split.held_out_prompts, or leave the suite out",
    "heldout_real": "hold out prompts that have answers in the data, or leave the suite out",
}


class Generation(Frozen):
    items: int = Field(64, ge=0)
    """Items per suite that are answered greedily (the first by hash); 0 leaves generation out."""
    max_new_tokens: int = Field(64, gt=0)


class Evaluate(Frozen):
    primary: str = "heldout_teacher.loss"
    """The one metric that decides, named before the run: `<suite>.<metric>`."""
    suites: tuple[Suite, ...] = ("heldout_teacher", "heldout_real")
    generation: Generation = Generation()
    dtype: Dtype = "bfloat16"
    """Of every arm."""
    checkpoints: tuple[int, ...] = ()
    """Steps of the student's training that are evaluated as arms too, `student@STEP`."""


class Spec(Frozen):
    """One arm. `model` and what follows for teacher and base; a student is what its training left."""

    arm: str
    model: str | None
    drop_layers: DropLayers = ()
    adapter: str | None = None
    """Reference to the adapter that a teacher wears, or that a student's training goes on with."""
    quantization: Quantization | None = None
    """Of the weights that the student is trained on: the base is the student before training, and nothing else."""
    trained: str = "train"
    """Node of the training whose student it is."""
    step: int | None = None
    suites: tuple[Suite, ...]
    generation: Generation
    dtype: Dtype
    top_k: int = 64
    """Teacher's tokens per position that agreement and KL are computed from."""
    engine: AnyEngine | None = None
    """What answers and scores where it is not a model in this process: the teacher's own engine."""


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Score every item, answer some greedily, write them in the order of the suites.

    Raises:
        DistillError: a suite without items, a checkpoint that is not there.
        CompareError: the arm's tokens or template are not the teacher's.
    """
    items = _items(spec, inputs)
    arm = arms.student(inputs[spec.trained], spec.step, context.resolved.values()) if spec.model is None else None
    dropped = layers.taken_out(spec.drop_layers, inputs)
    arm = arm or arms.named(str(spec.model), dropped, context.resolved, spec.adapter, spec.quantization)
    if spec.arm != "teacher":
        _unseen(items, inputs[spec.trained] if spec.model is None else arm.source.path)
        if spec.adapter:
            _unseen(items, context.resolved[spec.adapter].path)
    notes: list[str] = []
    about, scored = _score(spec, inputs, items, arm, out, context, notes)
    answers = _answer(spec, items, arm, context)
    if context.ranks.main:
        with (out / "items.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(_line(item, scored[item.key], answers.get(item.key)) for item in items)
    context.ranks.barrier()
    failed = sum(each.error is not None for each in scored.values())
    return {
        "arm": spec.arm,
        "model": arm.source.origin,
        **about,
        "decoding": {"temperature": 0, **spec.generation.model_dump()},
        "counts": {"requested": len(items), "scored": len(items) - failed, "failed": failed},
        "answers": dict(Counter(answer.finish for answer in answers.values())),
        **_spent(spec, answers, context).bill(),
        "notes": notes + _unscored(scored) + _unfinished(answers, spec.generation.max_new_tokens),
    }


def _engine(spec: Spec, arm: Arm) -> AnyEngine:
    return spec.engine or Transformers(dtype=spec.dtype, quantization=arm.quantization)


def _unseen(items: Sequence[Item], model: Path) -> None:
    """A student of another run may have been trained on what this run holds out."""
    seen = {item.row.provenance.root for item in items} & models.trained_on(model)
    if seen:
        raise DistillError(
            f"{len(seen)} of the held-out prompts are among those it was trained on",
            where=str(model),
            hint="hold out the same prompts in both runs: the same real data, split and seed",
        )


def _items(spec: Spec, inputs: Mapping[str, Path]) -> list[Item]:
    """Every suite's items in its own order; a conversation that a suite holds twice is one item."""
    items: dict[str, Item] = {}
    for suite in spec.suites:
        own = [Item(suite, row) for row in heldout.items(suite, inputs["split"], inputs["heldout"])]
        if not own:
            raise DistillError("there is no item to evaluate on", where=f"evaluate.suites: {suite}", hint=EMPTY[suite])
        items |= {item.key: item for item in own}
    return list(items.values())


def _score(
    spec: Spec,
    inputs: Mapping[str, Path],
    items: Sequence[Item],
    arm: Arm,
    out: Path,
    context: Context,
    notes: list[str],
) -> tuple[dict[str, str | None], Mapping[str, Scored]]:
    """The arm's template and vocabulary, and its measures by item."""
    if spec.engine is not None and not scores(spec.engine):
        why = MUTE.format(spec.engine.kind)
        answered = {item.key for item in chosen(items, spec.generation.items)}
        mute = {item.key: Scored(item.key, error=None if item.key in answered else why) for item in items}
        return {"template": None, "tokenizer": None}, mute
    keep = spec.arm == "teacher"
    # The model's memory is free before the engine loads its own.
    with closing(arm.scorer(_engine(spec, arm), context)) as scorer:
        teacher = None if keep else _teacher(inputs[TEACHER], scorer, notes)
        scored = scoring.score(items, scorer, teacher, spec.top_k, keep, context)
    own = {key: each.distribution for key, each in scored.items() if each.distribution}
    if own and context.ranks.main:
        teachers.write(out / teachers.FILE, Teacher(own, arm.source.origin, scorer.template, scorer.tokenizer))
    return {"template": scorer.template, "tokenizer": scorer.tokenizer}, scored


def _teacher(folder: Path, scorer: Scorer, notes: list[str]) -> Teacher | None:
    """The teacher's distributions where this arm can be held against them; a note where it cannot."""
    path = folder / teachers.FILE
    if not path.exists():
        notes.append("The teacher's token probabilities are not known: agreement and KL are left out.")
        return None
    teacher = teachers.read(path)
    if not scoring.comparable(scorer, teacher):
        notes.append(
            "The vocabulary is not the teacher's: agreement and KL are left out, and loss per token cannot be compared "
            "with the teacher's; bits per byte can."
        )
        return None
    return teacher


def _answer(spec: Spec, items: Sequence[Item], arm: Arm, context: Context) -> Mapping[str, Completion]:
    asked = chosen(items, spec.generation.items)
    if not asked:
        return {}
    with closing(arm.engine(_engine(spec, arm), context)) as engine:
        return greedy(asked, engine, spec.generation.max_new_tokens, context)


def _line(item: Item, scored: Scored, answer: Completion | None) -> str:
    """One item as a line of JSON. Measures that could not be taken are absent, never zero."""
    # What was cut while it was thinking has no answer yet: it is missing, not a bad one.
    thinking = answer is not None and answer.finish == "length" and not answer.text
    given = answer.text if answer and answer.finish != "error" and not thinking else None
    row, measures = item.row, dict(scored.measures)
    if given is not None and item.answered:
        measures |= metrics.overlap(given, row.answer)
    record = {
        "suite": item.suite,
        "item": row.id,
        "root": row.provenance.root,
        "question": row.question,
        "reference": row.answer,
        "answer": given,
        "metrics": measures,
        "error": scored.error,
    }
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


def _spent(spec: Spec, answers: Mapping[str, Completion], context: Context) -> Spent:
    """What generation spent: a prompt that two suites share was answered once."""
    served = spec.engine is not None and spec.engine.kind == "server"
    price = context.runtime.price(MAIN) if served else None
    distinct = {answer.request: answer for answer in answers.values()}.values()
    return sum((Spent.of(answer, price) for answer in distinct), Spent())


def _unscored(scored: Mapping[str, Scored]) -> list[str]:
    reasons = Counter(each.error for each in scored.values() if each.error)
    return [f"{count} of {len(scored)} items could not be scored: {why}." for why, count in reasons.most_common()]


def _unfinished(answers: Mapping[str, Completion], limit: int) -> list[str]:
    errors = Counter(str(answer.error) for answer in answers.values() if answer.finish == "error")
    notes = [f"{count} of {len(answers)} questions got no answer: {why}." for why, count in errors.most_common()]
    thought = sum(answer.finish == "length" and not answer.text for answer in answers.values())
    if thought:
        notes.append(f"{thought} of {len(answers)} greedy answers were cut while thinking and count as not answered.")
    cut = sum(answer.finish == "length" for answer in answers.values())
    return [*notes, f"{cut} of {len(answers)} greedy answers were cut at {limit} tokens."] if cut else notes
