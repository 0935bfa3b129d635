"""panel.json and guard.json as typed values: what was measured of the rows of a run, and what of it is beyond a limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from distill.collapse.gate import Alarm
from distill.collapse.panel import Panel
from distill.collapse.tail import TailLost

MEASURED, FILE = "panel.json", "guard.json"


@dataclass(frozen=True)
class Measured:
    panel: Panel | None
    """Of people's rows, the teacher's and the mix."""
    unsaid: str | None
    """Why there is no panel."""
    synthetic: float
    """Share of rows in the mix that a model wrote."""
    tail: Mapping[str, tuple[TailLost, ...]]
    """`teacher` and `real` -> what each filter took of people's rare words out of those rows."""
    students: Mapping[str, int]
    """Models of this recipe that wrote rows of the mix and were trained on a model's rows themselves -> generations of models
    behind them."""
    descended: Mapping[str, int]
    """Models that no part of this recipe names, whose rows in the mix all have models behind them besides their writer -> the
    fewest generations of those."""


@dataclass(frozen=True)
class Found(Measured):
    alarms: tuple[Alarm, ...]
    """What is beyond its limit."""


def write(found: Measured, folder: Path) -> None:
    data = TypeAdapter(type(found)).dump_json(found, indent=1)
    (folder / (FILE if isinstance(found, Found) else MEASURED)).write_bytes(data + b"\n")


def read(folder: Path) -> Found:
    """What `guard` wrote."""
    return TypeAdapter(Found).validate_json((folder / FILE).read_bytes())


def measured(folder: Path) -> Measured:
    """What `panel` wrote."""
    return TypeAdapter(Measured).validate_json((folder / MEASURED).read_bytes())
