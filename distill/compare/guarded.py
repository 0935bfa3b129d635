"""what `guard` found of the rows + the loss on real held-out text -> what is beyond a limit, and the error that says so.

The loss is that of student and base on the same items. It is the one thing that rows cannot show: a mix may be as varied as
people's texts and still teach something else.
"""

from __future__ import annotations

from collections.abc import Mapping

from distill.collapse.found import Found
from distill.collapse.gate import Alarm, RealLoss, alarms
from distill.collapse.panel import Number
from distill.collapse.remedies import against
from distill.collapse.settings import Guard
from distill.collapse.stage import refusal
from distill.compare.arms import BASE, STUDENT
from distill.compare.findings import Beyond, Guarded, LossOnReal
from distill.compare.report import Metric
from distill.errors import CollapseError

METRIC = "heldout_real.loss"


def guarded(found: Found, metrics: Mapping[str, Metric], guard: Guard) -> Guarded:
    """Of the rows what was found before the training, of the student what its evaluation says."""
    loss, unjudged = on_real(metrics)
    risen: tuple[Alarm, ...] = ()
    if loss is not None:
        risen = alarms(None, guard.limits, RealLoss(loss.student, loss.base, Number(loss.rise, *loss.ci95)))
    return Guarded(
        stop=guard.stop,
        rows=tuple(map(_beyond, found.alarms)),
        student=tuple(map(_beyond, risen)),
        synthetic=found.synthetic,
        loss=loss,
        unjudged=tuple(one for one in (found.unsaid, unjudged) if one),
    )


def on_real(metrics: Mapping[str, Metric]) -> tuple[LossOnReal | None, str | None]:
    """The loss of student and base on real held-out text, or why it cannot be compared."""
    metric = metrics.get(METRIC)
    pairs = [one for one in metric.paired if (one.a, one.b) == (STUDENT, BASE)] if metric else []
    if metric is None or not pairs:
        return None, f"{METRIC} of student and base cannot be compared (evaluate.suites: heldout_real)"
    (pair,) = pairs
    base = metric.arms[BASE].mean
    return LossOnReal(student=base + pair.difference, base=base, rise=pair.difference, ci95=pair.ci95, n=pair.n), None


def refused(guarded: Guarded, more: str) -> CollapseError | None:
    """The error of a student that lost what people's texts have; None where it did not, or the recipe goes on all the same.

    Args:
        more: where to read on.
    """
    if not guarded.stop or not guarded.student:
        return None
    ill = [Alarm(**one.model_dump(exclude={"remedies"})) for one in guarded.student]
    return refusal(ill, more)


def _beyond(alarm: Alarm) -> Beyond:
    lines = tuple(one.line for one in against(alarm.measure))
    return Beyond(**vars(alarm), remedies=lines)
