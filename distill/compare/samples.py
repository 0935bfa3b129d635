"""arms -> about twelve items to read, picked by a rule stated beforehand: worst, middle and best for the student."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from distill.compare.arms import BASE, STUDENT, Arm, Key, texts
from distill.compare.flow import cut
from distill.compare.report import Sample, Samples

EACH = 4
Label = Literal["worst", "middle", "best"]


def read_samples(arms: Sequence[Arm], primary: str) -> Samples:
    """Items of the primary metric's suite, by student minus base; those with generated answers where there are any."""
    by_name = {arm.name: arm for arm in arms}
    if STUDENT not in by_name or BASE not in by_name:
        return Samples(
            rule="No samples: they are picked by student minus base, and one of the two is missing.", items=()
        )
    suite, metric = primary.split(".", 1)
    student, base = by_name[STUDENT].items, by_name[BASE].items
    differences = {
        key: item.metrics[metric][0] - base[key].metrics[metric][0]
        for key, item in student.items()
        if key[0] == suite and metric in item.metrics and metric in base[key].metrics
    }
    answered = {key: value for key, value in differences.items() if student[key].answered}
    chosen = answered or differences
    # Worst first; the id breaks ties, so that one run always shows the same items.
    sign = -1 if by_name[STUDENT].metrics[primary].direction == "lower" else 1
    ranked = sorted(chosen, key=lambda key: (sign * chosen[key], key))
    picked = _pick(ranked)
    lines = {arm.name: texts(arm, set(picked)) for arm in arms}
    which = "with a generated answer" if answered else "(none of them was answered, only scored)"
    rule = (
        f"The {EACH} worst, {EACH} middle and {EACH} best of {len(chosen)} items of {suite} {which}, "
        f"ranked by {metric} of the student minus {metric} of the base. Nobody chose them."
    )
    return Samples(rule=rule, items=tuple(_sample(key, label, chosen[key], lines) for key, label in picked.items()))


def _pick(ranked: Sequence[Key]) -> dict[Key, Label]:
    """The two ends and the middle; an item that is in several of them is shown once."""
    middle = max(0, (len(ranked) - EACH) // 2)
    parts: list[tuple[Label, Sequence[Key]]] = [
        ("worst", ranked[:EACH]),
        ("middle", ranked[middle : middle + EACH]),
        ("best", ranked[::-1][:EACH]),
    ]
    picked: dict[Key, Label] = {}
    for label, keys in parts:
        for key in keys:
            picked.setdefault(key, label)
    return picked


def _sample(key: Key, label: Label, difference: float, lines: dict[str, dict[Key, dict[str, str | None]]]) -> Sample:
    first = next(iter(lines.values()))[key]
    return Sample(
        label=label,
        suite=key[0],
        item=key[1],
        question=cut(str(first["question"])),
        reference=cut(str(first["reference"])),
        difference=difference,
        answers={arm: None if (text := found[key]["answer"]) is None else cut(text) for arm, found in lines.items()},
    )
