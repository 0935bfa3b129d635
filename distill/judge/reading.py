"""what a judge said -> which of two answers it prefers, or why that cannot be read. It is never guessed.

A form is looked for first, `{"reason": …, "better": "A"}`; else `[[A]]`, or a text that is nothing but the choice.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from distill.forms import Malformed, read, schema_of

Choice = Literal["first", "second", "tie"]
NAMES: dict[str, Choice] = {"a": "first", "b": "second", "tie": "tie"}
BRACKETS = re.compile(r"\[\[\s*(a|b|tie)\s*\]\]", re.IGNORECASE)


def _plain(value: Any) -> Any:
    """`a`, `Answer A`, `**B**` and `Tie.` are what they say."""
    if not isinstance(value, str):
        return value
    said = value.strip(" \t\r\n*_`\"'.").lower().removeprefix("answer").strip(" _")
    return {"a": "A", "b": "B", "tie": "tie"}.get(said, value)


class Preference(BaseModel):
    """What a judge fills in. An engine that holds to it asks for the reason too; one that is read may leave it out."""

    model_config = ConfigDict(json_schema_extra={"required": ["reason", "better"]})

    reason: str = ""
    better: Annotated[Literal["A", "B", "tie"], BeforeValidator(_plain)]


SCHEMA = schema_of(Preference)


def choice(text: str) -> Choice:
    """Which of the two is preferred.

    Raises:
        Malformed: it does not say, or says two things.
    """
    try:
        return NAMES[read(text, Preference).better.lower()]
    except Malformed as malformed:
        found = {NAMES[one.lower()] for one in BRACKETS.findall(text)}
        whole = _plain(text)
        if len(found) == 1:
            return found.pop()
        if len(found) > 1:
            raise Malformed("it names several choices") from malformed
        if whole in ("A", "B", "tie"):
            return NAMES[str(whole).lower()]
        raise
