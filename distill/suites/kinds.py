"""The suites a recipe may name, and the only place that picks one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from distill.suites.benchmark import OwnBenchmark
from distill.suites.choices import Choices
from distill.suites.heldout import HeldOutReal, HeldOutTeacher, HeldOutText
from distill.suites.instructions.suite import Instructions
from distill.suites.lm_eval import LmEval
from distill.suites.numbers import Numbers
from distill.suites.programs import HumanEval, Programs
from distill.suites.suite import Suite
from distill.suites.text import Text


def _named(value: Any) -> Any:
    """A suite may be named alone: `heldout_real` is `{kind: heldout_real}`."""
    return {"kind": value} if isinstance(value, str) else value


def by_name(schema: dict[str, Any]) -> None:
    """Tell editors that a name alone will do."""
    schema["items"] = {"anyOf": [schema["items"], {"type": "string"}]}


AnySuite = Annotated[
    Annotated[
        HeldOutTeacher
        | HeldOutReal
        | HeldOutText
        | Text
        | Numbers
        | Choices
        | Instructions
        | OwnBenchmark
        | Programs
        | HumanEval
        | LmEval,
        Field(discriminator="kind"),
    ],
    BeforeValidator(_named),
]


def _apart(suites: tuple[Suite, ...]) -> tuple[Suite, ...]:
    """Each suite by itself: an entry may stand for several."""
    return tuple(part for suite in suites for part in suite.parts)


Suites = Annotated[tuple[AnySuite, ...], AfterValidator(_apart)]
