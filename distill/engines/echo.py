"""The engine that needs no model: it answers with the question. For tests and dry runs."""

from __future__ import annotations

from typing import Literal

from distill.rows import Frozen


class Echo(Frozen):
    kind: Literal["echo"] = "echo"
