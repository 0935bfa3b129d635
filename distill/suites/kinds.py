"""The suites a recipe may name, and the only place that picks one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from distill.suites.benchmark import OwnBenchmark
from distill.suites.heldout import HeldOutReal, HeldOutTeacher
from distill.suites.programs import HumanEval, Programs


def _named(value: Any) -> Any:
    """A suite may be named alone: `heldout_real` is `{kind: heldout_real}`."""
    return {"kind": value} if isinstance(value, str) else value


def by_name(schema: dict[str, Any]) -> None:
    """Tell editors that a name alone will do."""
    schema["items"] = {"anyOf": [schema["items"], {"type": "string"}]}


AnySuite = Annotated[
    Annotated[HeldOutTeacher | HeldOutReal | OwnBenchmark | Programs | HumanEval, Field(discriminator="kind")],
    BeforeValidator(_named),
]
