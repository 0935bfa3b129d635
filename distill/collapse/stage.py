"""panel.json -> guard.json; an error where the mix is poorer than people's rows beyond what the recipe allows.

It comes after the mix and before tokens and training are paid for. What it finds is written before it stops anything, and is
what the report shows. It reads numbers and no rows: a run that it stopped, and every job of a cluster that asks it again, pays
for no more than that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from distill.collapse import found as finding
from distill.collapse.found import Found
from distill.collapse.gate import Alarm, Limits, alarms
from distill.collapse.measuring import MIX
from distill.collapse.remedies import against, told
from distill.collapse.settings import Guard
from distill.collapse.tail import TailLost
from distill.context import Context
from distill.errors import CollapseError
from distill.protocols import Summary
from distill.rows import Frozen

VERSION = 3
CHANCE = ("quota", "select", "surprising")
"""What chooses among rows that are all accepted: nobody is told that a choice leaves something."""


class Spec(Frozen):
    """What of the recipe's `guard` decides what is said of rows: not of the student, and not what is followed."""

    stop: bool
    limits: Limits
    max_synthetic: float
    max_tail_lost: float

    @classmethod
    def of(cls, guard: Guard) -> Self:
        limits = guard.limits.model_copy(update={"real_loss": None})
        return cls(stop=guard.stop, limits=limits, max_synthetic=guard.max_synthetic, max_tail_lost=guard.max_tail_lost)


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write guard.json.

    Raises:
        CollapseError: the mix is beyond a limit, and the recipe does not say to go on; guard.json is written all the same.
    """
    if not context.ranks.main:
        return {}
    measured = finding.measured(inputs["panel"])
    found = Found(**vars(measured), alarms=alarms(measured.panel, spec.limits))
    finding.write(found, out)
    ill = [alarm for alarm in found.alarms if alarm.corpus == MIX]
    if ill and spec.stop:
        raise refusal(ill, f"all numbers are in {inputs['panel'] / finding.MEASURED}")
    return {"counts": {"beyond_limits": len(found.alarms)}, "notes": list(notes(found, spec))}


def refusal(ill: Sequence[Alarm], more: str) -> CollapseError:
    """The error of what is beyond its limit: measures, values with intervals, limits, and what to do in lines of a recipe."""
    lines = [f"  {one.says}; difference 95% [{one.interval[0]:.3g}, {one.interval[1]:.3g}]" for one in ill]
    what = "the student has" if all(one.corpus == "student" for one in ill) else "what is to be learnt from has"
    return CollapseError(
        "\n".join([f"{what} lost more of what people's texts have than guard.limits allows", *lines]),
        where="guard",
        hint=f"one of these lines in the recipe, those that help most first:\n     "
        f"{told(against(*(one.measure for one in ill)))}\n     "
        f"or go on all the same with guard.stop: false; {more}",
    )


def notes(found: Found, spec: Spec) -> Iterator[str]:
    """What should be seen, a sentence each with a line of a recipe against it."""
    if found.unsaid:
        yield f"The guard says nothing of the rows' variety: {found.unsaid}."
    yield from (f"{alarm.says}: try {against(alarm.measure)[0].line}" for alarm in found.alarms)
    if found.synthetic > spec.max_synthetic:
        yield (
            f"{found.synthetic:.0%} of the mix were written by a model, more than guard.max_synthetic {spec.max_synthetic:.0%}: "
            "small models that learn from unfiltered synthetic text stay within 3% up to 20% of it and degrade faster beyond "
            f"30% (Du et al., arXiv:2510.05133); try {against('synthetic')[0].line}"
        )
    for source, filters in found.tail.items():
        for one in filters:
            if one.beyond > spec.max_tail_lost and one.filter not in CHANCE:
                yield _of_filter(source, one)
    for origin, depth in found.students.items():
        yield (
            f"{origin} writes rows and is itself a student, {depth} generation{'s' if depth > 1 else ''} of models away from "
            f"people's text: what it lost its student cannot learn; try {against('student_teacher')[0].line}"
        )
    for origin, depth in found.descended.items():
        yield (
            f"{origin}, which this recipe does not name, wrote rows with {depth} generation{'s' if depth > 1 else ''} of models "
            f"before it: what those lost the student cannot learn; try {against('student_teacher')[0].line}"
        )


def _of_filter(source: str, one: TailLost) -> str:
    return (
        f"The filter {one.filter} takes the tail: with {one.rows} of {one.of} {source} rows it dropped {one.lost:.0%} of the "
        f"{one.words} rare words of people's that they had, where as many rows drawn by lot have {one.by_lot:.0%}; drop less "
        f"there (`distill show RUN --dropped {one.filter}`), or try {against('filtered_tail')[0].line}"
    )
