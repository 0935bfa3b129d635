"""python -m pytest tests/test_columns.py"""

from __future__ import annotations

from typing import Any

import pytest

from distill.errors import SourceError, TemplateError
from distill.sources.columns import Column
from distill.sources.records import Record


def render(template: str, value: Any) -> str:
    return Column(template).render(Record("data.jsonl:7", value))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("title", "a title"),
        ("with space", "spaced"),
        ("number", "3"),
        ("nothing", ""),
        ("{{ title }}: {{ number + 1 }}", "a title: 4"),
        ("{{ nothing }}|", "|"),
        ("{% for x in parts %}{{ x.y }} {% endfor %}", "1 2 "),
        ("{{ missing | default('none') }}", "none"),
        ("{{ title }}<b>&", "a title<b>&"),
        ("{# remark #}x\n", "x\n"),
    ],
)
def test_a_column_or_jinja(template: str, expected: str) -> None:
    parts = [{"y": 1}, {"y": 2}]
    record = {"title": "a title", "with space": "spaced", "number": 3, "nothing": None, "parts": parts}
    assert render(template, record) == expected


def test_an_unknown_column_names_file_record_and_the_nearest() -> None:
    with pytest.raises(SourceError) as caught:
        render("instrution", {"instruction": "a", "output": "b"})
    assert str(caught.value) == "data.jsonl:7: no column 'instrution'; nearest there: instruction"


def test_an_unknown_field_of_a_template() -> None:
    with pytest.raises(TemplateError, match=r"data\.jsonl:7: .*'instrution' is undefined(.|\n)*instruction, output"):
        render("{{ instrution }}", {"instruction": "a", "output": "b"})


@pytest.mark.parametrize(
    "template",
    [
        "{{ q",
        "{% if %}",
        "{{ q + 1 }}",
        "{{ 1 / 0 }}",
        "{{ q.__class__.__mro__ }}",
        "{{ parts.append(1) }}",
        "{{ range(1000000000) | list }}",
        "{% include '/etc/passwd' %}",
        "{{ q.missing }}",
    ],
)
def test_a_template_that_cannot_be_applied(template: str) -> None:
    parts: list[int] = []
    with pytest.raises(TemplateError, match=r"data\.jsonl:7"):
        render(template, {"q": "text", "parts": parts})
    assert parts == []


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"bytes"])
def test_a_column_that_holds_no_text(value: Any) -> None:
    with pytest.raises(SourceError, match=f"holds {type(value).__name__}, not text"):
        render("q", {"q": value})


@pytest.mark.parametrize("template", ["q", "{{ q }}"])
def test_a_record_without_columns(template: str) -> None:
    with pytest.raises(SourceError, match=r"the record is list(.|\n)*turns: alternate"):
        render(template, ["q", "a"])
