"""the docstring under a field -> its description in the JSON Schema, for editors and for docs/recipe.md."""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue


class Described(GenerateJsonSchema):
    """JSON Schema with what stands under every field in the source."""

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        found = super().model_schema(schema)
        for name, text in said_of_fields(schema["cls"]).items():
            if name in found.get("properties", {}):
                found["properties"][name].setdefault("description", text)
        return found


def said_of_fields(model: type[BaseModel]) -> dict[str, str]:
    """What stands under each field of a model, its parents' fields too."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, BaseModel) and one is not BaseModel:
            found |= _of_module(one.__module__).get(one.__qualname__, {})
    return found


@cache
def _of_module(name: str) -> dict[str, dict[str, str]]:
    """Class -> field -> the string that stands after it."""
    tree = ast.parse(inspect.getsource(sys.modules[name]))
    return {one.name: _of_body(one.body) for one in ast.walk(tree) if isinstance(one, ast.ClassDef)}


def _of_body(body: list[ast.stmt]) -> dict[str, str]:
    found = {}
    for field, after in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            found[field.target.id] = inspect.cleandoc(after.value.value).replace("\n", " ")
    return found
