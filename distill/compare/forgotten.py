"""arms + what must not be lost -> for each such metric, whether the student kept it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distill.compare.arms import BASE, STUDENT, Arm
from distill.compare.findings import Forgotten
from distill.compare.measure import PER_TOKEN, compare
from distill.compare.report import Metric
from distill.statistics.forgetting import Forgetting, change


def forgotten(
    arms: Sequence[Arm], asked: Forgetting | None, metrics: Mapping[str, Metric], seed: int
) -> tuple[list[Forgotten], list[str]]:
    """In the order asked for, and why a metric has no answer.

    Each is a test of its own, without a correction for their number: that nothing was lost is said only if all say so.
    """
    found: list[Forgotten] = []
    notes: list[str] = []
    for name in asked.metrics if asked else ():
        assert asked is not None
        reason = _missing(name, arms, metrics)
        if reason:
            notes.append(f"Whether {name} was forgotten is not known: {reason}.")
            continue
        about = metrics[name]
        result = change(compare(name, arms, seed).panel, STUDENT, BASE, about.direction, asked)
        found.append(
            Forgotten(
                metric=name,
                unit=about.unit,
                gain=result.gain.value,
                bounds=(result.gain.low, result.gain.high),
                margin=result.margin,
                relative=asked.relative,
                verdict=result.verdict,
                needed=result.needed,
                n=result.gain.n,
            )
        )
    return found, notes


def _missing(name: str, arms: Sequence[Arm], metrics: Mapping[str, Metric]) -> str | None:
    if name not in metrics:
        return "no arm has that metric, or too few items of it"
    lost = [arm for arm in (STUDENT, BASE) if arm not in metrics[name].arms]
    if lost:
        return f"there is no score of {' and '.join(lost)}"
    words = {arm.name: arm.tokenizer for arm in arms if arm.name in (STUDENT, BASE)}
    if name.split(".", 1)[1] in PER_TOKEN and len(set(words.values())) > 1:
        return "the student's tokens are not its base's; bits_per_byte can be compared"
    return None
