"""The suites a recipe may name, and the only place that picks one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from distill.suites.choices import Choices
from distill.suites.heldout import HeldOutReal, HeldOutTeacher
from distill.suites.instructions.suite import Instructions
from distill.suites.numbers import Numbers
from distill.suites.text import Text


def _named(value: Any) -> Any:
    """A suite may be named alone: `heldout_real` is `{kind: heldout_real}`."""
    return {"kind": value} if isinstance(value, str) else value


def by_name(schema: dict[str, Any]) -> None:
    """Tell editors that a name alone will do."""
    schema["items"] = {"anyOf": [schema["items"], {"type": "string"}]}


AnySuite = Annotated[
    Annotated[HeldOutTeacher | HeldOutReal | Text | Numbers | Choices | Instructions, Field(discriminator="kind")],
    BeforeValidator(_named),
]
