"""what `guard` found of the rows + the loss on real held-out text -> what is beyond a limit, and the error that says so.

The loss is that of student and base on the same items. It is the one thing that rows cannot show: a mix may be as varied as
people's texts and still teach something else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distill.collapse.found import Found
from distill.collapse.gate import Alarm, Limits, RealLoss, alarms
from distill.collapse.panel import Number
from distill.collapse.remedies import against
from distill.collapse.settings import Guard
from distill.collapse.stage import refusal
from distill.compare.arms import BASE, STUDENT
from distill.compare.findings import Beyond, Guarded, LossOnReal, Verdict
from distill.compare.report import Metric
from distill.errors import CollapseError

UNJUDGED = (
    "no loss of student and base on real held-out text can be compared (evaluate.suites: heldout_real or heldout_text)"
)


def guarded(found: Found, metrics: Mapping[str, Metric], guard: Guard, real: Sequence[str]) -> Guarded:
    """Of the rows what was found before the training, of the student what its evaluation says.

    Args:
        real: suites of people's held-out text.
    """
    found_losses = [one for suite in real if (one := on_real(suite, metrics.get(f"{suite}.loss")))]
    judged = [(one, _risen(one, guard.limits)) for one in found_losses]
    losses = tuple(_told(one, bool(alarm), guard.limits.real_loss) for one, alarm in judged)
    risen = [alarm for _, own in judged for alarm in own]
    return Guarded(
        stop=guard.stop,
        rows=tuple(map(_beyond, found.alarms)),
        student=tuple(map(_beyond, risen)),
        synthetic=found.synthetic,
        losses=losses,
        unjudged=tuple(one for one in (found.unsaid, None if losses else UNJUDGED) if one),
    )


def on_real(suite: str, metric: Metric | None) -> LossOnReal | None:
    """The loss of student and base on real held-out text; None where they have none that can be compared."""
    pairs = [one for one in metric.paired if (one.a, one.b) == (STUDENT, BASE)] if metric else []
    if metric is None or not pairs:
        return None
    (pair,), base = pairs, metric.arms[BASE].mean
    return LossOnReal(
        suite=suite, student=base + pair.difference, base=base, rise=pair.difference, ci95=pair.ci95, n=pair.n
    )


def _risen(loss: LossOnReal, limits: Limits) -> tuple[Alarm, ...]:
    return alarms(None, limits, RealLoss(loss.student, loss.base, Number(loss.rise, *loss.ci95)))


def _told(loss: LossOnReal, risen: bool, limit: float | None) -> LossOnReal:
    """With what may be said of it: that it is within its limit where its whole interval is, and not where chance may hide more."""
    verdict: Verdict | None = None
    if limit is not None:
        within = loss.ci95[1] <= limit * loss.base
        verdict = "worse" if risen else "not worse" if within else "cannot tell"
    return loss.model_copy(update={"limit": limit, "verdict": verdict})


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
