"""Training rows against everything evaluated on."""

from __future__ import annotations

from typing import Literal

from distill.rows import Frozen


class Contamination(Frozen):
    kind: Literal["contamination"] = "contamination"
