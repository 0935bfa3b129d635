"""a task's metrics -> ours, where a score is a mean over items; what the harness says of an item -> measures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from distill.suites.metrics import Metric
from distill.suites.suite import Measure, Measures

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask

RIGHT = frozenset(
    "acc acc_norm acc_bytes acc_mutual_info exact_match prompt_level_strict_acc prompt_level_loose_acc".split()
)
"""Metrics that are 1 or 0 of an item."""
CHOSEN = "acc"
"""Of choices: whether the likeliest was right, which is the one that the confidence is of."""


def metrics(tasks: Sequence[ConfigurableTask]) -> dict[str, Metric]:
    """`<metric>`, or `<metric>/<filter>` where a task reads its answers in several ways."""
    found: dict[str, Metric] = {}
    for task in tasks:
        better = task.higher_is_better()
        once = task.config.repeats == 1
        for metric, aggregate in task.aggregation().items():
            if not (_is_mean(aggregate) or _is_pooled(aggregate)):
                continue
            for kept in task._filters:
                right = metric in RIGHT and once
                chosen = metric == CHOSEN and task.OUTPUT_TYPE == "multiple_choice"
                found.setdefault(
                    named(metric, kept.name),
                    Metric(
                        "higher" if better.get(metric, True) else "lower",
                        "share" if right or metric.endswith("acc") else "score",
                        f"{metric} of the task {task.task_name} of lm-evaluation-harness"
                        + (f", read by {kept.name}." if kept.name != "none" else "."),
                        right,
                        chosen and right and kept is task._filters[0],
                    ),
                )
    return found


def named(metric: str, kept: str) -> str:
    return metric if kept == "none" else f"{metric}/{kept}"


def measures(task: ConfigurableTask, result: dict[str, Any], kept: str) -> Measures:
    """Of one item, by one way of reading it. A list of results, such as one for each instruction, has so much weight."""
    known = metrics([task])
    found: Measures = {}
    for metric, value in result.items():
        name = named(metric, kept)
        if name not in known:  # it may be anything: a pair of texts
            continue
        values = [float(each) for each in value] if isinstance(value, list | tuple) else [float(value)]
        if values and all(map(math.isfinite, values)):
            found[name] = Measure(value=sum(values) / len(values), weight=len(values))
    return found


def _is_mean(aggregate: Callable[[Any], Any]) -> bool:
    return _gives(aggregate, [0.0, 1.0, 1.0])


def _is_pooled(aggregate: Callable[[Any], Any]) -> bool:
    """The mean over lists put one behind the other."""
    return _gives(aggregate, [[0.0, 1.0], [1.0]])


def _gives(aggregate: Callable[[Any], Any], values: list[Any]) -> bool:
    """Two thirds, of numbers of which that is the mean. What a function of someone's task file does is tried, not read."""
    try:
        return math.isclose(float(aggregate(values)), 2 / 3, rel_tol=1e-9)
    except Exception:
        return False
