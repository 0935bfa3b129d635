"""metrics that a recipe names + items that were read -> nothing, or an error before anything is trained.

Where only the data of a suite tell what it measures, a name that is not there would be missed at the very end. It is a node
of its own, so that another name reads no items anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from distill.context import Context
from distill.errors import SourceError
from distill.protocols import Summary
from distill.rows import Frozen
from distill.suites.kinds import AnySuite
from distill.suites.suite import Suite

VERSION = 1


class Spec(Frozen):
    suites: tuple[AnySuite, ...]
    names: tuple[str, ...]
    """`<suite>.<metric>` of these suites."""


def spec(suites: Sequence[Suite], names: Sequence[str]) -> Spec | None:
    """What is to be looked for; None where nothing is that only data can confirm."""
    unknown = {suite.label: suite for suite in suites if not suite.KNOWN}
    told = tuple(name for name in dict.fromkeys(names) if name.partition(".")[0] in unknown)
    return Spec.model_validate({"suites": tuple(unknown.values()), "names": told}) if told else None


def run(spec: Spec, inputs: Mapping[str, Path], _out: Path, _context: Context) -> Summary:
    """Raises:
    SourceError: a metric that is not there.
    """
    for suite in spec.suites:
        metrics = list(suite.measured(inputs))
        for name in spec.names:
            label, _, metric = name.partition(".")
            if label == suite.label and metric not in metrics:
                raise SourceError(
                    f"{label} has no metric {metric!r}; it has {', '.join(metrics)}",
                    where=f"evaluate: {name}",
                    hint=f"write {label}.{metrics[0]}",
                )
    return {"counts": {"metrics": len(spec.names)}}
