"""what the student cost + the gap it recovered -> the share of the gap that an hour, and a unit of money, bought.

The student's are the stages that it is made by: data, layers and training, of several seeds the first. Held-out answers and
evaluation are not, which another student of the same run would share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from distill.compare.cost import Cost, StageCost, money
from distill.compare.findings import Price
from distill.compare.report import Recovered
from distill.compare.value import Interval

MAKING = frozenset({"split", "generate", "filter", "mix", "tokenise", "layers", "score", "train"})


def price(inputs: Mapping[str, Path], cost: Cost, gap: Recovered) -> Price | None:
    """None where nothing was trained in this run."""
    stages = {name: stage for name, stage in cost.stages.items() if name.split("/")[0] in MAKING and _own(name)}
    if not any(name.startswith("train") for name in stages):
        return None
    on_gpu = any(stage.accelerators for stage in stages.values())
    hours = math.fsum(_seconds(stage, on_gpu) for stage in stages.values()) / 3600
    charged = money({name: inputs[name] for name in stages})
    per_hour, hour_ends = _each(gap, hours)
    per_money, money_ends = _each(gap, charged)
    return Price(
        stages=tuple(sorted(stages)),
        device="GPU" if on_gpu else "processor",
        hours=hours,
        money=charged,
        gap_per_hour=per_hour,
        gap_per_hour_ci95=hour_ends,
        gap_per_money=per_money,
        gap_per_money_ci95=money_ends,
    )


def _own(name: str) -> bool:
    """Not another seed's, nor the training that `real_only` stands for."""
    return "#" not in name and "@" not in name


def _seconds(stage: StageCost, on_gpu: bool) -> float:
    """Of devices: where GPUs computed, the time that stages on processors alone took is not theirs."""
    return stage.seconds * (stage.accelerators if on_gpu else stage.processes)


def _each(gap: Recovered, spent: float) -> tuple[float | None, Interval | None]:
    """What was spent is known, so that the interval is the gap's."""
    if gap.value is None or gap.ci95 is None or spent <= 0:
        return None, None
    return gap.value / spent, (gap.ci95[0] / spent, gap.ci95[1] / spent)
