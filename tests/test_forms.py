"""Forms: what is read of a text, and what is said of one that does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from distill.forms import Malformed, objects, read, schema_of
from distill.generate.rankers import Mark, Preference


class Marks(BaseModel):
    score: int = Field(ge=1, le=5)
    why: str = ""


@pytest.mark.parametrize(
    "text",
    [
        '{"score": 4}',
        'Sure!\n```json\n{"score": 4}\n```\nI hope this helps.',
        '{"score": 9} no: {"score": 4, "why": "it\nis {good}"}',
        '{ broken {"score": 4}',
    ],
)
def test_the_first_object_that_fits_is_read(text: str) -> None:
    assert read(text, Marks).score == 4


def test_what_does_not_fit_says_what_to_mend() -> None:
    with pytest.raises(Malformed, match=r"score: Input should be less than or equal to 5"):
        read('{"score": 9}', Marks)
    with pytest.raises(Malformed, match="no JSON object"):
        read("four", Marks)


def test_objects_inside_objects_are_not_counted() -> None:
    assert objects('{"a": {"b": 1}} {"c": 2} {{{') == [{"a": {"b": 1}}, {"c": 2}]


class Part(BaseModel):
    name: str
    default: int = 3
    """A field that is called like a keyword."""


class Nested(BaseModel):
    why: str = ""
    one: Part = Field(Part(name="p"), description="The best.")
    parts: list[Part] = []
    perhaps: Part | None = None
    choice: Literal["A", "B"] = "A"


def objects_in(schema: Any) -> list[dict[str, Any]]:
    """Every object schema, however deep, and every reference."""
    inside = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    found = [one for part in inside for one in objects_in(part)]
    return [schema, *found] if isinstance(schema, dict) and {"properties", "$ref"} & set(schema) else found


@pytest.mark.parametrize("form", [Mark, Preference, Marks, Nested])
def test_what_a_server_is_held_to_is_strict(form: type[BaseModel]) -> None:
    schema = json.loads(schema_of(form))
    for one in objects_in(schema):
        if "$ref" in one:
            assert list(one) == ["$ref"]
        else:
            assert one["additionalProperties"] is False and one["required"] == list(one["properties"])
            assert not any("default" in field for field in one["properties"].values())
    assert list(schema["properties"]) == list(form.model_fields), "the reason is written before the choice"


def test_a_nested_form_is_whole() -> None:
    schema = json.loads(schema_of(Nested))
    assert list(schema["$defs"]["Part"]["properties"]) == ["name", "default"]
    assert len(objects_in(schema)) == 5, "the form, its part, and three references to it"


def test_a_field_that_may_be_missing_is_asked_for_and_read_without() -> None:
    assert json.loads(schema_of(Marks))["required"] == ["score", "why"]
    assert read('{"score": 4}', Marks) == Marks(score=4)


def test_every_schema_that_is_sent_is_made_here() -> None:
    package = Path(__file__).parents[1] / "distill"
    making = {path.name for path in package.rglob("*.py") if "json_schema()" in path.read_text(encoding="utf-8")}
    assert making <= {"forms.py", "recipe.py", "problems.py", "cli.py"}, "the others tell of recipes"
