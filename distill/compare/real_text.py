"""arms + people's training rows + the training's log -> what rows cannot show: the loss on the rarest of people's held-out texts,
and how far the loss that was trained on has run away from the loss on real text.

Both tell sooner than the mean loss on real text. The tail is lost first (Shumailov et al. 2024, doi:10.1038/s41586-024-07566-y),
and a student that is trained on a model's rows alone can bring the loss on those near nothing while people's text gets worse.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from distill.collapse.rarest import rarest
from distill.compare.arms import BASE, STUDENT, Arm, references
from distill.compare.diversity import Mean, Rarest, TrainGap
from distill.compare.report import Point
from distill.rows import read_rows
from distill.statistics.panel import Panel
from distill.statistics.scores import Scores
from distill.words import words

METRIC = "loss"


def rarest_loss(arms: Sequence[Arm], people: Path, suites: Collection[str], seed: int) -> Rarest | None:
    """Loss on the rarest tenth of people's held-out texts; None where too few are there, or no arm scored them.

    Args:
        people: file of the real training rows.
        suites: of people's held-out text.
    """
    keys = [
        key for key in (arms[0].items if arms else ()) if key[0] in suites and all(_scored(arm, key) for arm in arms)
    ]
    if not keys or not people.is_file():
        return None
    chosen = rarest(references(arms[0], set(keys)), (words(row.answer) for row in read_rows(people)))
    if not chosen:
        return None
    panel = Panel({arm.name: _scores(arm, chosen) for arm in arms}, seed=seed)
    pairs = panel.paired([(STUDENT, BASE)], "lower") if {STUDENT, BASE} <= {arm.name for arm in arms} else []
    means = {arm.name: panel.mean(arm.name) for arm in arms}
    return Rarest(
        n=len(chosen),
        arms={name: Mean(mean=one.value, ci95=(one.low, one.high)) for name, one in means.items()},
        rise=pairs[0].difference.value if pairs else None,
        ci95=(pairs[0].difference.low, pairs[0].difference.high) if pairs else None,
    )


def train_gap(curve: Sequence[Point]) -> TrainGap | None:
    """Of the student that was kept, or the last that was measured; None where no loss on real rows was."""
    measured = [point for point in curve if point.real_loss is not None]
    kept = [point for point in measured if point.kept] or measured[-1:]
    if not kept:
        return None
    last = kept[-1]
    before = max((point.step for point in measured if point.step < last.step), default=0)
    losses = [point.loss for point in curve if point.loss is not None and before < point.step <= last.step]
    if not losses or last.real_loss is None:
        return None
    train = sum(losses) / len(losses)
    return TrainGap(step=last.step, train=train, real=last.real_loss, gap=train - last.real_loss)


def last_training(training: Mapping[str, Sequence[Point]]) -> Sequence[Point]:
    return next(reversed(list(training.values())), ())


def _scored(arm: Arm, key: tuple[str, str]) -> bool:
    return key in arm.items and METRIC in arm.items[key].metrics


def _scores(arm: Arm, keys: Sequence[tuple[str, str]]) -> Scores:
    values, weights = zip(*(arm.items[key].metrics[METRIC] for key in keys), strict=True)
    return Scores([" ".join(key) for key in keys], values, weights, [arm.items[key].root for key in keys])
