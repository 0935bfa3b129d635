"""A filter that reads an answer as JSON and holds it against a JSON Schema, of the recipe or of the row's evidence.

References of a schema to elsewhere lead nowhere: nothing is fetched. Patterns are the recipe's alone: one such as
`^(a+)+$`, which takes for ever on a short answer, would stop the run with all its threads.
"""

from __future__ import annotations

import json
import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

from distill.errors import RecipeError
from distill.evidence import SCHEMA
from distill.filter.bindings import Bindings, installed, shorten
from distill.filter.verification.verify import Verified
from distill.protocols import KEEP, Filter, Verdict
from distill.rows import Row

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_FENCED = re.compile(r"\s*```[ \t]*(?:json)?[ \t]*\n(.*?)\n[ \t]*```\s*", re.S | re.I)


class UnusableError(Exception):
    """A schema that is none."""


class JsonSchema(Verified):
    """Drops an answer that is no JSON (`not_json`) or does not fit (`misfit`), and a row whose own schema is none
    (`unusable_schema`)."""

    kind: Literal["json_schema"] = "json_schema"
    NEEDS: ClassVar[str] = SCHEMA
    fits: dict[str, Any] | None = None
    """The JSON Schema that every answer must fit; `{}` asks for JSON alone. Left out, each row brings its own."""
    fenced: bool = True
    """Whether an answer may be one fenced block of JSON."""

    @property
    def versions(self) -> dict[str, str]:
        return installed("jsonschema")

    def bind(self, bindings: Bindings) -> Filter:
        """Raises:
        RecipeError: the recipe's schema is none.
        """
        if self.fits is not None:
            try:
                validator(self._own, patterns=True)
            except UnusableError as error:
                raise RecipeError(f"`fits` is no JSON Schema: {error}", where="filter (json_schema)") from None
        return super().bind(bindings)

    def verdict(self, row: Row) -> Verdict:
        """A schema of the recipe needs no evidence."""
        return super().verdict(row) if self.fits is None else self._fitting(row.answer, self._own, patterns=True)

    def check(self, row: Row) -> Verdict:
        return self._fitting(row.answer, row.evidence[SCHEMA], patterns=False)

    @cached_property
    def _own(self) -> str:
        return json.dumps(self.fits)

    def _fitting(self, answer: str, schema: str, patterns: bool) -> Verdict:
        fenced = _FENCED.fullmatch(answer) if self.fenced else None
        try:
            value = read(fenced[1] if fenced else answer)
        except ValueError as error:
            return Verdict(False, "not_json", evidence=f"{shorten(str(error), 80)}: {shorten(answer)}")
        try:
            problem = _problem(validator(schema, patterns), value)
        except UnusableError as error:
            return Verdict(False, "unusable_schema", evidence=shorten(str(error), 300))
        return Verdict(False, "misfit", evidence=shorten(problem, 300)) if problem else KEEP


def read(text: str) -> Any:
    """A JSON value.

    Raises:
        ValueError: it is none: no NaN, no name twice in an object, no nesting beyond all measure.
    """
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


@lru_cache(maxsize=256)
def validator(text: str, patterns: bool) -> Validator:
    """What holds values against a schema; to check the schema itself takes a hundred times longer than to use it.

    Args:
        patterns: whether the schema may have regular expressions.

    Raises:
        UnusableError: it is none.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry

    try:
        schema = read(text)
    except ValueError as error:
        raise UnusableError(f"it is no JSON: {error}") from None
    if not isinstance(schema, dict | bool):
        raise UnusableError("it is no object")
    if not patterns and has_pattern(schema):
        raise UnusableError("it has a pattern, which may take for ever on an answer: a schema in `fits` may have some")
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except (SchemaError, RecursionError) as error:
        raise UnusableError(str(getattr(error, "message", "nested too deeply"))) from None
    # Without a registry of our own it would fetch what a schema refers to.
    made: Validator = kind(schema, registry=Registry())
    return made


def has_pattern(schema: Any) -> bool:
    """Whether there is a regular expression anywhere in it: what is no schema may be referred to as one."""
    left = [schema]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += one
        elif isinstance(one, dict):
            # A property of this name has a schema, not a text.
            if "patternProperties" in one or isinstance(one.get("pattern"), str):
                return True
            left += one.values()
    return False


def _problem(holding: Validator, value: Any) -> str:
    """The first misfit, and where; empty where there is none."""
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        error = best_match(holding.iter_errors(value))
    except Unresolvable as unresolved:
        raise UnusableError(f"it refers to {unresolved.ref!r}, which is not in it") from None
    except RecursionError:
        raise UnusableError("it refers to itself without end") from None
    except re.error as broken:
        raise UnusableError(f"its pattern is none: {broken}") from None
    return f"{error.json_path}: {error.message}" if error else ""
