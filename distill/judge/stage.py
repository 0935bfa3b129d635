"""answers of the arms + a judge -> verdicts.jsonl and judged.json.

    verdicts.jsonl   one line a verdict: {"pair", "suite", "item", "root", "characters", "order", "verdict", "text", "error"}
    judged.json      win rates, controls, agreement with people, and whether the judge can be believed (see result.py)

It reads what the arms answered as files, and knows nothing of how they came to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from distill.context import Context
from distill.engines.spent import Meter
from distill.engines.teacher import Models, descent
from distill.judge import asking, comparisons, conclude, labels
from distill.judge.asking import Judged as One
from distill.judge.comparisons import Comparison
from distill.judge.family import Model, kin
from distill.judge.result import FILE, Judged
from distill.judge.settings import Spec
from distill.protocols import Summary
from distill.rows import to_json

VERSION = 1
VERDICTS = "verdicts.jsonl"


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Ask the judge about every pair, the controls and the labelled pairs, and write what it said.

    Raises:
        DistillError: no answers to be judged, or labels that cannot be read.
    """
    judge = spec.judge
    by_arm = {arm: comparisons.answers(inputs[f"evaluate/{arm}"]) for arm in judge.arms}
    answered = {key for own in by_arm.values() for key in own}
    chosen = comparisons.items(spec.suites, inputs, answered, judge.items)
    pairs = comparisons.of_arms(judge, chosen, by_arm)
    controls = comparisons.controls(chosen, by_arm[judge.pairs[0][0]])
    told, people = labels.labelled(judge.labels, context.resolved[judge.labels.data].path) if judge.labels else ([], [])
    parts = {**{pair.name: pair.comparisons for pair in pairs}, **controls, labels.PAIR: tuple(told)}
    models = Models(spec.teachers, context)
    meter = Meter(models.prices)
    with closing(models):
        engine = meter.over(judge.by, models.engine(judge.by))
        everything = asking.ask(judge, [one for own in parts.values() for one in own], engine, context)
    by_part = _parted(parts, everything)
    found = conclude.controls({name: by_part[name] for name in controls})
    made = [conclude.pair(pair, by_part[pair.name]) for pair in pairs]
    agreed = labels.agreed(by_part[labels.PAIR], people) if judge.labels else None
    counts, unread = conclude.asked(everything), conclude.example(everything)
    standing, reasons = conclude.standing(counts, found, agreed, unread)
    related = _kin(spec, context)
    result = Judged(
        by=judge.by,
        model=descent(spec.teachers[judge.by], context.resolved).origin,
        kin=related,
        asked=counts[0],
        read=counts[1],
        example=unread,
        pairs=tuple(made),
        controls=tuple(found),
        agreement=agreed,
        standing=standing,
        reasons=reasons,
        cautions=tuple(conclude.cautions(related, made, found, agreed)),
    )
    if context.ranks.main:
        with (out / VERDICTS).open("w", encoding="utf-8") as file:
            file.writelines(to_json(line) + "\n" for line in asking.lines(everything))
        (out / FILE).write_text(to_json(result.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
    bill = meter.total(context.ranks).bill()
    context.ranks.barrier()
    return {
        "judge": result.model,
        "counts": {"requested": counts[0], "read": counts[1], "failed": counts[0] - counts[1]},
        **bill,
        "standing": standing,
        "notes": notes(result),
    }


def notes(result: Judged) -> list[str]:
    """What the stage wants seen, the loudest first."""
    loud = {
        "no verdict": "THE JUDGE GAVE NO VERDICT: no number is stated",
        "cannot be believed": "THE JUDGE CANNOT BE BELIEVED",
    }
    faults = [f"{loud[result.standing]}: {'; '.join(result.reasons)}."] if result.standing in loud else []
    return [*faults, *result.cautions]


def _parted(parts: Mapping[str, Sequence[Comparison]], judged: Sequence[One]) -> dict[str, Sequence[One]]:
    found, start = {}, 0
    for name, own in parts.items():
        found[name] = judged[start : start + len(own)]
        start += len(own)
    return found


def _kin(spec: Spec, context: Context) -> str | None:
    own = [Model.of(context.resolved[ref]) for ref in spec.teachers[spec.judge.by].weights]
    merged = Model(
        frozenset[str]().union(*(one.references for one in own)),
        frozenset[str]().union(*(one.revisions for one in own)),
    )
    return kin(merged, {role: Model.of(context.resolved[ref]) for role, ref in spec.against.items()})
