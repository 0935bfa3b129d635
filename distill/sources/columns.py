"""column template + record -> text: a column's name, or Jinja over the record's columns in a sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from distill.errors import SourceError, TemplateError
from distill.sources.records import Record
from distill.sources.references import nearest

if TYPE_CHECKING:
    import jinja2


@dataclass(frozen=True)
class Column:
    """How one text is made from a record."""

    template: str

    def value(self, record: Record) -> Any:
        """What stands in the column of this name.

        Raises:
            SourceError: the record has no columns, or not this one.
        """
        columns = _columns(record)
        if self.template not in columns:
            there = nearest(self.template, map(str, columns))
            raise SourceError(f"no column {self.template!r}; nearest there: {there}", where=record.where)
        return columns[self.template]

    def text(self, record: Record) -> str:
        """The text; a list or an object is one as JSON.

        Raises: as `render`.
        """
        if self.is_jinja:
            return self._jinja(record)
        value = self.value(record)
        return (
            json.dumps(value, ensure_ascii=False, default=str)
            if isinstance(value, dict | list)
            else self.render(record)
        )

    @property
    def is_jinja(self) -> bool:
        """It is a template, and not a column's name."""
        return any(mark in self.template for mark in ("{{", "{%", "{#"))

    def render(self, record: Record) -> str:
        """The text; a missing value (null) is an empty one.

        Raises:
            SourceError: a column that does not exist, or that holds no text.
            TemplateError: Jinja that cannot be read, names an unknown field or does what the sandbox forbids.
        """
        if self.is_jinja:
            return self._jinja(record)
        value = self.value(record)
        if isinstance(value, dict | list | bytes):
            message = f"column {self.template!r} holds {type(value).__name__}, not text"
            raise SourceError(message, where=record.where, hint='take a part of it with Jinja: "{{ column[0] }}"')
        return "" if value is None else str(value)

    def _jinja(self, record: Record) -> str:
        import jinja2

        columns = _columns(record)
        try:
            return _compiled(self.template).render(columns)
        except jinja2.UndefinedError as error:
            hint = f"columns of the record: {', '.join(map(str, columns))}"
            raise TemplateError(f"{self.template!r}: {error.message}", where=record.where, hint=hint) from error
        except (
            Exception
        ) as error:  # anything a template can do wrong: divide by zero, add text to a number, leave the sandbox
            raise TemplateError(f"{self.template!r}: {error}", where=record.where) from error


def unrolled(records: Iterable[Record], column: str) -> Iterator[Record]:
    """Every item of a column's list as a record: the columns of its own record, and `item` and `index`.

    Raises:
        SourceError: the column does not exist, or holds no list.
    """
    for record in records:
        items = Column(column).value(record)
        if not isinstance(items, list):
            raise SourceError(f"column {column!r} holds {type(items).__name__}, not a list", where=record.where)
        for index, item in enumerate(items):
            yield Record(f"{record.where}, {column}[{index}]", {**_columns(record), "item": item, "index": index})


@cache
def _compiled(template: str) -> jinja2.Template:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, finalize=lambda value: "" if value is None else value, keep_trailing_newline=True
    )
    return environment.from_string(template)


def _columns(record: Record) -> dict[str, Any]:
    if not isinstance(record.value, dict):
        kind = type(record.value).__name__
        hint = "`turns: alternate` reads records that are lists" if kind == "list" else None
        raise SourceError(f"the record is {kind}, it has no columns", where=record.where, hint=hint)
    return record.value
