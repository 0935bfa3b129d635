"""held-out rows and suites + an arm -> items.jsonl: what it makes of every item.

    items.jsonl           one line an item: {"suite", "item", "root", "asked", "question", "reference", "answer", "answers",
                          "found", "why", "confidence", "metrics", "error"}
    teacher.safetensors   from the teacher only: its next-token distributions, which the other arms are measured against

It knows nothing of the other arms but the teacher's distributions, and takes no mean: that is the comparison's work. An
item that could not be scored carries its reason in `error` and no number in place of the missing one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from distill.context import Context
from distill.engines import layers, models
from distill.engines.open import AnyEngine, scores
from distill.engines.spent import Spent
from distill.engines.teacher import MAIN
from distill.engines.transformers import Transformers
from distill.errors import DistillError
from distill.evaluate import answers, arms, asked, choosing, record, scoring
from distill.evaluate import teacher as teachers
from distill.evaluate.answers import Item
from distill.evaluate.arms import Arm
from distill.evaluate.asked import Asked
from distill.evaluate.scoring import Scored
from distill.evaluate.settings import Spec
from distill.evaluate.teacher import Teacher
from distill.protocols import Completion, Scorer, Summary
from distill.suites.suite import Judged, Subject

VERSION = 3
TEACHER = "evaluate/teacher"
MUTE = "the engine `{}` gives no token probabilities"
ELSEWHERE = "the engine `{}` runs elsewhere, and lm_eval asks a model in this process"


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Score and answer every item, write them in the order of the suites.

    Raises:
        DistillError: a suite without items, a checkpoint that is not there.
        CompareError: the arm's tokens or template are not the teacher's.
    """
    suites = asked.read(spec.suites, spec.generation, inputs)
    arm = arms.student(inputs[spec.trained], spec.step, context.resolved.values()) if spec.model is None else None
    dropped = layers.taken_out(spec.drop_layers, inputs)
    arm = arm or arms.named(str(spec.model), dropped, context.resolved, spec.adapter, spec.quantization)
    if spec.arm != "teacher":
        _unseen(suites.items, inputs[spec.trained] if spec.model is None else arm.source.path)
        if spec.adapter:
            _unseen(suites.items, context.resolved[spec.adapter].path)
    notes: list[str] = []
    about, scored, judged = _score(spec, inputs, suites, arm, out, context, notes)
    said = _answer(spec, suites, arm, context)
    judged |= suites.judged(said, context)
    lines = [record.line(suites, item, scored.get(item.key), judged.get(item.key), said) for item in suites.items]
    if context.ranks.main:
        record.write(out / "items.jsonl", lines)
    context.ranks.barrier()
    failed = sum(line["error"] is not None for line in lines)
    told = [completion for own in said.values() for completion in own]
    return {
        "arm": spec.arm,
        "model": arm.source.origin,
        **about,
        "dtype": None if spec.engine else spec.dtype,
        "decoding": record.decoding(suites),
        "metrics": record.metrics(suites),
        "counts": {"requested": len(lines), "scored": len(lines) - failed, "failed": failed},
        "answers": dict(Counter(completion.finish for completion in told)),
        **_spent(spec, told, context).bill(),
        "notes": notes + record.unscored(lines) + record.unfinished(told),
    }


def _engine(spec: Spec, arm: Arm) -> AnyEngine:
    return spec.engine or Transformers(dtype=spec.dtype, quantization=arm.quantization)


def _unseen(items: Sequence[Item], model: Path) -> None:
    """A student of another run may have been trained on what is evaluated on here."""
    trained = models.trained_on(model)
    seen = [item for item in items if item.row.roots & trained]
    if seen:
        shown = "; ".join(f"{item.key} ({item.row.question[:60]!r})" for item in seen[:3])
        raise DistillError(
            f"{len({item.row.provenance.root for item in seen})} of the held-out prompts are among those it was trained "
            f"on: {shown}",
            where=str(model),
            hint="hold out the same prompts in both runs: the same real data, split and seed; of a suite with data of its "
            "own, add the filter contamination",
        )


def _score(
    spec: Spec,
    inputs: Mapping[str, Path],
    suites: Asked,
    arm: Arm,
    out: Path,
    context: Context,
    notes: list[str],
) -> tuple[dict[str, str | None], dict[str, Scored], dict[str, Judged]]:
    """The arm's template and vocabulary, its measures of answers that are there, and what it chose."""
    if spec.engine is not None and not scores(spec.engine):
        why = MUTE.format(spec.engine.kind)
        told = {item.key for item, _ in suites.answered}
        scored = {
            item.key: Scored(item.key, error=None if item.key in told else why) for item in suites.of("likelihood")
        }
        return (
            {"template": None, "tokenizer": None},
            scored,
            {item.key: Judged(error=why) for item in suites.of("choices")}
            | {item.key: Judged(error=ELSEWHERE.format(spec.engine.kind)) for item in suites.of("model")},
        )
    keep = spec.arm == "teacher"
    # The model's memory is free before the engine loads its own.
    with closing(arm.scorer(_engine(spec, arm), context)) as scorer:
        likely = suites.of("likelihood")
        teacher = _teacher(inputs[TEACHER], scorer, notes) if likely and TEACHER in inputs else None
        scored = dict(scoring.score(likely, scorer, teacher, spec.top_k, keep, context)) if likely else {}
        chosen = suites.chosen(choosing.likelihoods(suites.options, scorer, context))
        if suites.of("model"):
            model, tokenizer = scorer.borrowed()
            chosen |= suites.examined(
                Subject(model, tokenizer, context.resolved, context.runtime.batch_tokens), context
            )
    own = {key: each.distribution for key, each in scored.items() if each.distribution}
    if own and context.ranks.main:
        teachers.write(out / teachers.FILE, Teacher(own, arm.source.origin, scorer.template, scorer.tokenizer))
    return {"template": scorer.template, "tokenizer": scorer.tokenizer}, scored, chosen


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


def _answer(spec: Spec, suites: Asked, arm: Arm, context: Context) -> Mapping[str, tuple[Completion, ...]]:
    if not suites.answered:
        return {}
    with closing(arm.engine(_engine(spec, arm), context)) as engine:
        return answers.ask(suites.answered, engine, context)


def _spent(spec: Spec, told: Sequence[Completion], context: Context) -> Spent:
    """What generation spent: a prompt that two suites share was answered once."""
    served = spec.engine is not None and spec.engine.kind == "server"
    price = context.runtime.price(MAIN) if served else None
    distinct = {completion.request: completion for completion in told}.values()
    return sum((Spent.of(completion, price) for completion in distinct), Spent())
