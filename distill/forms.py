"""A form that a model fills in as JSON: its schema, what is read of a text, and the prompt that asks to mend it.

It knows nothing of what a form is for, or who is asked.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Form = TypeVar("Form", bound=BaseModel)
REPAIR = "repair"
"""Name of the prompt file that asks to mend an answer; it is told `problem` and `schema`."""


def schema_of(form: type[BaseModel]) -> str:
    """JSON Schema of a form, as a request carries it: its fields in their order, so that a reason comes before a choice.

    It is strict, as servers want it: every field is asked for, also one that may be missing when the form is read.
    """
    return json.dumps(_strict(form.model_json_schema()))


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema with every object closed: all of its fields, and no others."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}  # strict servers refuse anything beside it
    made = {name: _inside(name, value) for name, value in schema.items() if name != "default"}
    if made.get("type") == "object":
        assert "properties" in made, "a form's objects have named fields"
        made |= {"additionalProperties": False, "required": list(made["properties"])}
    return made


def _inside(name: str, value: Any) -> Any:
    """What stands under a keyword, with the schemas in it made strict."""
    if name in ("properties", "$defs"):
        return {key: _strict(part) for key, part in value.items()}
    if name in ("anyOf", "prefixItems"):
        return [_strict(part) for part in value]
    return _strict(value) if name == "items" else value


class Malformed(ValueError):
    """No JSON object in a text, or none that fits; the message tells a model what to mend."""


def read(text: str, form: type[Form]) -> Form:
    """The first JSON object in a text that fits the form, code fences and talk around it passed over.

    Raises:
        Malformed: there is none; says what is wrong with the first.
    """
    problem = ""
    for value in objects(text):
        try:
            return form.model_validate(value)
        except ValidationError as error:
            problem = problem or "; ".join(
                f"{'.'.join(map(str, one['loc'])) or 'the object'}: {one['msg']}" for one in error.errors()[:3]
            )
    raise Malformed(problem or "there is no JSON object in it")


def objects(text: str) -> list[Any]:
    """Every JSON object in a text that is not inside another."""
    decoder = json.JSONDecoder(strict=False)  # models write line ends into strings
    found: list[Any] = []
    place = text.find("{")
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
            found.append(value)
        except (ValueError, RecursionError):
            end = place + 1
        place = text.find("{", end)
    return found
