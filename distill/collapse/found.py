"""guard.json: what `guard` found of the rows of a run, as a typed value; the panel is computed once, and read from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from distill.collapse.gate import Alarm
from distill.collapse.panel import Panel
from distill.collapse.tail import TailLost

FILE = "guard.json"


@dataclass(frozen=True)
class Found:
    panel: Panel | None
    """Of people's rows, the teacher's and the mix."""
    unsaid: str | None
    """Why there is no panel."""
    alarms: tuple[Alarm, ...]
    """What is beyond its limit."""
    synthetic: float
    """Share of rows in the mix that a model wrote."""
    tail: Mapping[str, tuple[TailLost, ...]]
    """`teacher` and `real` -> what each filter took of people's rare words out of those rows."""
    students: Mapping[str, int]
    """Models that wrote rows of the mix and were trained on a model's rows themselves -> generations of models behind them."""


def write(found: Found, folder: Path) -> None:
    data = TypeAdapter(Found).dump_json(found, indent=1)
    (folder / FILE).write_bytes(data + b"\n")


def read(folder: Path) -> Found:
    return TypeAdapter(Found).validate_json((folder / FILE).read_bytes())
