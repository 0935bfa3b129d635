"""What stands under a field in the source is what an editor shows."""

from __future__ import annotations

from distill.described import said_of_fields
from distill.recipe import Recipe, json_schema
from distill.train.sft import Sft


def test_a_field_has_its_docstring() -> None:
    assert said_of_fields(Recipe)["name"] == "Of the run folder."


def test_a_parents_field_is_described_too() -> None:
    assert "checkpoint_every" in said_of_fields(Sft)


def test_the_schema_describes_fields_of_every_part() -> None:
    schema = json_schema()
    runtime = schema["$defs"]["Runtime"]["properties"]
    assert runtime["batch_tokens"]["description"].startswith("Most tokens")
    assert schema["properties"]["teacher"]["description"].startswith("Who writes")
