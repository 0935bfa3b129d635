"""Answers as JSON that fits a schema."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from distill.errors import RecipeError
from distill.filter.bindings import Bindings
from distill.filter.verification.json_schema import JsonSchema
from distill.protocols import KEEP
from tests.filter.verification.test_verify import row, verdict

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
GOOD = '{"name": "Ada", "age": 36}'


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        (GOOD, "", ""),
        (f"\n {GOOD}\n", "", ""),
        (f"```json\n{GOOD}\n```", "", ""),
        (f"Here it is: {GOOD}", "not_json", "Here it is"),
        ("", "not_json", ""),
        ('{"name": "Ada", "age": 36', "not_json", ""),
        ('{"name": "Ada", "age": NaN}', "not_json", "NaN is no JSON"),
        ('{"name": "Ada", "age": 1, "age": 2}', "not_json", "twice"),
        ("[" * 100_000, "not_json", "nested too deeply"),
        ('{"name": "Ada", "age": -1}', "misfit", "$.age: -1 is less than the minimum of 0"),
        ('{"name": "Ada"}', "misfit", "'age' is a required property"),
        ('{"name": "Ada", "age": 1, "x": 1}', "misfit", "'x' was unexpected"),
        ('{"name": "\\ud800", "age": 1}', "", ""),
        (f'{{"name": "{"a" * 2_000_000}", "age": "{"b" * 2_000_000}"}}', "misfit", "is not of type 'integer'"),
    ],
)
def test_by_the_schema_of_the_recipe_or_of_the_row(answer: str, reason: str, said: str) -> None:
    for found in (
        verdict(JsonSchema(fits=SCHEMA), row("q", answer)),
        verdict(JsonSchema(), row("q", answer, schema=json.dumps(SCHEMA))),
    ):
        assert (found.keep, found.reason) == (not reason, reason)
        assert found.evidence is None or (len(found.evidence) < 320 and (said in found.evidence or len(answer) > 10**6))


def test_the_recipes_schema_decides_where_it_has_one_and_an_empty_one_asks_for_json_alone() -> None:
    assert verdict(JsonSchema(fits={}), row("q", "[1]", schema=json.dumps(SCHEMA))) == KEEP
    assert verdict(JsonSchema(fits={}, require=True), row("q", "[1]")) == KEEP
    assert verdict(JsonSchema(fits={}), row("q", "one")).reason == "not_json"
    assert verdict(JsonSchema(fits={}, fenced=False), row("q", "```json\n[1]\n```")).reason == "not_json"


@pytest.mark.parametrize(
    "schema",
    [
        "{",
        "7",
        '{"type": "thing"}',
        '{"$ref": "#/$defs/none"}',
        '{"$ref": "http://127.0.0.1:9/s.json"}',
        '{"pattern": "("}',
    ],
)
def test_a_row_whose_schema_is_none(schema: str) -> None:
    assert verdict(JsonSchema(), row("q", '"x"', schema=schema)).reason == "unusable_schema"


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"pattern": "^a+$"}, "aa"),
        ({"properties": {"x": {"anyOf": [{"type": "null"}, {"pattern": "^a+$"}]}}}, {"x": "aa"}),
        ({"additionalProperties": False, "patternProperties": {"^a+$": True}}, {"aa": 1}),
        ({"$ref": "#/default", "default": {"pattern": "^a+$"}}, "aa"),
    ],
)
def test_a_pattern_of_a_row_is_not_tried(schema: dict[str, Any], answer: Any) -> None:
    """Were it `^(a+)+$`, and the answer sixty letters, the run would not end. These would, and fit."""
    found = verdict(JsonSchema(), row("q", json.dumps(answer), schema=json.dumps(schema)))
    assert found.reason == "unusable_schema" and found.evidence is not None and "it has a pattern" in found.evidence
    assert verdict(JsonSchema(fits=schema), row("q", json.dumps(answer))) == KEEP


def test_a_pattern_of_the_recipe_is_tried_and_a_property_may_have_that_name() -> None:
    assert verdict(JsonSchema(fits={"pattern": "^a+$"}), row("q", '"aa"')) == KEEP
    assert verdict(JsonSchema(fits={"pattern": "^a+$"}), row("q", '"ab"')).reason == "misfit"
    with pytest.raises(RecipeError, match="not a 'regex'"):
        JsonSchema(fits={"pattern": "("}).bind(Bindings())
    named = json.dumps({"properties": {"pattern": {"type": "string"}}})
    assert verdict(JsonSchema(), row("q", '{"pattern": "x"}', schema=named)) == KEEP
    assert verdict(JsonSchema(), row("q", '{"pattern": 1}', schema=named)).reason == "misfit"


def test_a_schema_that_refers_to_itself_without_end() -> None:
    assert verdict(JsonSchema(), row("q", "1", schema='{"$ref": "#"}')).reason == "unusable_schema"


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(*where: object, **_: object) -> None:
        asked.append(where)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    schema = json.dumps({"$ref": "http://schemas.org/s.json"})
    assert verdict(JsonSchema(), row("q", "1", schema=schema)).reason == "unusable_schema"
    assert asked == []


def test_a_recipe_whose_schema_is_none_is_refused() -> None:
    with pytest.raises(RecipeError, match="no JSON Schema"):
        JsonSchema(fits={"type": "thing"}).bind(Bindings())
