"""arms asked alike -> a Comparison: means, paired differences, gap recovered, and how runs came to where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from distill.compare.arms import BASE, Key
from distill.compare.flow import read_training
from distill.compare.measure import AGAINST_TEACHER, PER_TOKEN, pair_of, ratio_of, score_of, scores_of
from distill.compare.report import Point, Recovered, Score
from distill.compare.runs.asked import Entry, Together
from distill.compare.runs.comparison import Column, Compared, Comparison
from distill.compare.words import interval, number, recovered, signed
from distill.errors import CompareError
from distill.statistics.panel import Panel
from distill.suites.metrics import Metric

MOST_STEPS = 40
"""Points of a curve over checkpoints; of more, as many evenly."""


def compare(found: Together, primary: str, seed: int) -> Comparison:
    """Every metric of the suites that were asked alike, the primary one first.

    Raises:
        CompareError: no metric can be compared.
    """
    notes = list(found.notes)
    keys: dict[str, list[Key]] = {}
    metrics: dict[str, Compared] = {}
    for name, about in _metrics(found, primary, notes):
        try:
            metrics[name], keys[name] = _compared(name, about, found, seed)
        except CompareError as error:
            notes.append(f"{name} is left out: {error.message}.")
    if not metrics:
        raise CompareError("\n  ".join(["nothing to compare", *notes]), hint="evaluate every run on more items")
    if primary not in metrics:
        notes.append(f"{primary}, which decides in {found.chosen[0].run}, is not among what can be compared.")
    decides = primary if primary in metrics else None
    notes += [*_dtypes(found.entries), *_seeds(found.entries)]
    notes.append("No p-value is adjusted for the number of metrics and arms.")
    return Comparison(
        arms={entry.label: _column(entry) for entry in found.entries},
        primary=decides,
        headline=_headline(decides or next(iter(metrics)), metrics, found.chosen),
        metrics=metrics,
        training=_training(found),
        checkpoints=_checkpoints(found, keys, seed),
        notes=tuple(dict.fromkeys(notes)),
    )


def _dtypes(entries: Sequence[Entry]) -> Iterator[str]:
    """What is not the models' own of their differences."""
    kinds: dict[str, list[str]] = {}
    for entry in entries:
        if dtype := entry.arm.summary.get("dtype"):
            kinds.setdefault(dtype, []).append(entry.label)
    if len(kinds) > 1:
        named = "; ".join(f"in {dtype} {_and(labels)}" for dtype, labels in kinds.items())
        yield f"Evaluated {named}: between these, a part of each difference may be rounding (evaluate.dtype)."


def _seeds(entries: Sequence[Entry]) -> Iterator[str]:
    """What the intervals are over."""
    several = [entry for entry in entries if len(entry.arms) > 1]
    for entry in several:
        yield (
            f"{entry.label} is the mean of {len(entry.arms)} training seeds, its intervals are over seeds and items; item by item "
            "the first seed's answers are shown."
        )
    if len(several) < sum(entry.role == "chosen" for entry in entries):
        yield f"Intervals{' of the others' if several else ''} are over items; of other training seeds they say nothing."


def _column(entry: Entry) -> Column:
    summary = entry.arm.summary
    return Column(
        run=entry.run,
        arm=entry.arm.name,
        role=entry.role,
        origin=summary.get("model"),
        template=summary["template"],
        tokenizer=entry.arm.tokenizer,
        failed=summary["counts"]["failed"],
        seeds=len(entry.arms),
    )


def _metrics(found: Together, primary: str, notes: list[str]) -> Iterator[tuple[str, Metric]]:
    """What the first arm measures in the suites, the primary metric first; what means something else elsewhere is left out."""
    first = found.chosen[0].arm
    suite = primary.split(".", 1)[0]
    order = sorted(first.metrics, key=lambda name: (name.split(".", 1)[0] != suite, name != primary))
    for name in order:
        asked = found.suites.get(name.split(".", 1)[0], {})
        others = [entry.label for entry in found.entries if entry.label in asked and _other(entry, name, first.metrics)]
        if others:
            notes.append(f"{name} is left out: it is something else in {', '.join(others)}.")
        elif asked:
            yield name, first.metrics[name]


def _other(entry: Entry, name: str, metrics: Mapping[str, Metric]) -> bool:
    own = entry.arm.metrics.get(name, metrics[name])
    return (own.direction, own.unit, own.right) != (metrics[name].direction, metrics[name].unit, metrics[name].right)


def _compared(name: str, about: Metric, found: Together, seed: int) -> tuple[Compared, list[Key]]:
    """One metric, and the items it is compared on.

    Raises:
        CompareError: too few items that all arms scored, or another teacher that some are measured against.
    """
    suite, metric = name.split(".", 1)
    having = {
        entry.label: scored
        for entry in found.entries
        if (scored := {key for key in found.suites[suite].get(entry.label, ()) if entry.has(key, metric)})
    }
    if not having or not (everywhere := set.intersection(*having.values())):
        raise CompareError(f"no item was scored by all of {', '.join(having) or 'the arms'}", where=name)
    if metric in AGAINST_TEACHER:
        _refuse_teachers([entry for entry in found.entries if entry.label in having])
    keys = sorted(everywhere)
    entries = {entry.label: entry for entry in found.entries if entry.label in having}
    values = {label: [scores_of(arm, metric, keys) for arm in entry.arms] for label, entry in entries.items()}
    panel = Panel(values, right=about.right, seed=seed)
    tokenizers = {label: entry.arm.tokenizer if metric in PER_TOKEN else "" for label, entry in entries.items()}
    chosen = [entry for entry in entries.values() if entry.role == "chosen"]
    pairs = [(a, b) for a, b in _pairs(chosen) if b in values and tokenizers[a] == tokenizers[b]]
    differences = zip(pairs, panel.paired(pairs, about.direction), strict=True)
    compared = Compared(
        direction=about.direction,
        unit=about.unit,
        meaning=about.meaning,
        right=about.right,
        n=len(keys),
        left_out=len(set().union(*having.values()) & found.shared(suite)) - len(keys),
        arms={label: score_of(panel.mean(label)) for label in values},
        gap_recovered={entry.label: _recovered(entry, panel, tokenizers, about) for entry in chosen},
        paired=tuple(pair_of(a, b, one) for (a, b), one in differences),
    )
    return compared, keys


def _refuse_teachers(entries: Sequence[Entry]) -> None:
    """Agreement with one teacher says nothing of agreement with another, nor with one that nobody can look at."""
    runs = {entry.run: entry.teacher for entry in entries}
    if len(runs) > 1 and (None in runs.values() or len(set(runs.values())) > 1):
        named = ", ".join(f"{run}'s {'is not there' if own is None else f'is {own}'}" for run, own in runs.items())
        raise CompareError(f"it is measured against the teacher of each run, and these are not the same: {named}")


def _pairs(chosen: Sequence[Entry]) -> list[tuple[str, str]]:
    """Each against those named before it, then against its base and its teacher."""
    among = [(b.label, a.label) for a, b in combinations(chosen, 2)]
    beside = [(entry.label, other) for entry in chosen for other in (entry.base, entry.teacher) if other]
    return [(a, b) for a, b in [*among, *beside] if a != b]


def _recovered(entry: Entry, panel: Panel, tokenizers: Mapping[str, str | None], about: Metric) -> Recovered:
    named = {"teacher": entry.teacher, "base": entry.base}
    missing = [role for role, label in named.items() if label not in panel.arms]
    if missing:
        return _undefined(f"there is no score of {' and '.join(missing)}")
    teacher, base = str(entry.teacher), str(entry.base)
    if entry.label in (teacher, base):
        return _undefined("it is one of the two that the gap lies between")
    if len({tokenizers[label] for label in (teacher, base, entry.label)}) > 1:
        return _undefined("the teacher's tokens are not the student's; bits_per_byte can be compared")
    return ratio_of(panel.gap_recovered(teacher, base, entry.label, about.direction))


def _undefined(why: str) -> Recovered:
    return Recovered(value=None, ci95=None, undefined=why)


def _headline(name: str, metrics: Mapping[str, Compared], chosen: Sequence[Entry]) -> str:
    """What the primary metric shows, and no more: who leads, and whom it beats."""
    metric = metrics[name]
    labels = [entry.label for entry in chosen if entry.label in metric.arms]
    if not labels:
        return f"No arm that was asked for has a score in {name}."
    if len(labels) == 1:
        gap = metric.gap_recovered[labels[0]]
        if gap.value is None:
            return f"The gap recovered in {name} is undefined: {gap.undefined}."
        return f"{labels[0]} recovered {recovered(gap)} of the gap between base and teacher in {name}."
    best = min if metric.direction == "lower" else max
    leader = best(labels, key=lambda label: metric.arms[label].mean)
    if len(labels) == 2:
        return _of_two(name, metric, labels, leader)
    seen = {label: _verdict(metric, leader, label) for label in labels if label != leader}
    beaten = [label for label, verdict in seen.items() if verdict == "better"]
    unclear = [label for label in seen if label not in beaten]
    if not beaten:
        return f"{leader} has the best mean in {name}, but cannot be told apart from {_and(unclear)}."
    more = f"; from {_and(unclear)} it cannot be told apart" if unclear else ""
    return f"{leader} is better than {_and(beaten)} in {name}{more}."


def _of_two(name: str, metric: Compared, labels: Sequence[str], leader: str) -> str:
    found = next((one for one in metric.paired if {one.a, one.b} == set(labels)), None)
    if found is None:
        return f"{labels[0]} and {labels[1]} have different vocabularies: {name} is not compared between them."
    said = f"{signed(found.difference, metric.unit)} {interval(found.ci95, metric.unit)} {metric.unit}"
    if found.verdict == "cannot tell":
        return f"{found.a} and {found.b} cannot be told apart in {name} ({said}, {found.n} items)."
    other = next(label for label in labels if label != leader)
    means = f"{number(metric.arms[leader].mean, metric.unit)} against {number(metric.arms[other].mean, metric.unit)}"
    return f"{leader} is better than {other} in {name}: {means} {metric.unit} on {found.n} items."


def _verdict(metric: Compared, label: str, other: str) -> str:
    """Of the first beside the second."""
    for one in metric.paired:
        if (one.a, one.b) == (label, other):
            return one.verdict
        if (one.b, one.a) == (label, other):
            return {"better": "worse", "worse": "better"}.get(one.verdict, one.verdict)
    return "cannot tell"


def _and(names: Sequence[str]) -> str:
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def _training(found: Together) -> dict[str, dict[str, tuple[Point, ...]]]:
    """Loss by step of every training of the runs that are compared, by the training's name."""
    curves: dict[str, dict[str, tuple[Point, ...]]] = {}
    for run in found.runs:
        if run.name in {entry.run for entry in found.chosen}:
            for name, points in read_training(run.trainings, tuple(run.trainings)).items():
                curves.setdefault(name, {})[run.name] = points
    return curves


def _checkpoints(
    found: Together, keys: Mapping[str, Sequence[Key]], seed: int
) -> dict[str, dict[str, dict[int, Score]]]:
    """Means over the items compared of every checkpoint that was evaluated, from the base on."""
    curves: dict[str, dict[str, dict[int, Score]]] = {}
    for name, own in keys.items():
        metric = name.split(".", 1)[1]
        right = found.chosen[0].arm.metrics[name].right
        for run in found.runs:
            steps = dict(sorted(run.steps.items()))
            if len(steps) < 2 or run.name not in {entry.run for entry in found.chosen}:
                continue
            wanted = list(steps)[:: -(-len(steps) // MOST_STEPS)]
            arms: dict[int, Any] = {0: run.references[BASE]} if BASE in run.references else {}
            arms |= {step: steps[step] for step in dict.fromkeys([*wanted, max(steps)])}
            values = {
                step: score_of(Panel({"": scores_of(arm, metric, own)}, right=right, seed=seed).mean(""))
                for step, arm in arms.items()
                if all(key in arm.items and metric in arm.items[key].metrics for key in own)
            }
            if len(values) > 1:
                curves.setdefault(name, {})[run.name] = values
    return curves
