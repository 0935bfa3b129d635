"""Prompt files: rendered in a sandbox, strict about names, never empty."""

from __future__ import annotations

import pytest

from distill.errors import TemplateError
from distill.generate.method import PROMPTS
from distill.templates import fault, render, shipped, turns


def test_values_are_put_in_place_and_white_space_around_goes() -> None:
    assert render("\n Say {{ word }}.\n", "here", word="so") == "Say so."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{ wirtten }}", "wirtten.*`written`"),
        ("{{ written", "not a Jinja template"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ written / 0 }}", "zero"),
        ("{% if false %}x{% endif %}", "empty"),
        ("{{ range(10 ** 9) | list }}", "too big"),
    ],
)
def test_what_cannot_be_said_is_an_error_with_its_place(text: str, found: str) -> None:
    with pytest.raises(TemplateError, match=found) as caught:
        render(text, "prompt file x", written=0)
    assert caught.value.where == "prompt file x"


def test_a_method_has_its_own_files_and_shares_others() -> None:
    assert "another one" in shipped(PROMPTS, "self_instruct", "instruction")
    assert "JSON" in shipped(PROMPTS, "self_instruct", "repair")


def test_a_file_may_hold_turns() -> None:
    text = "[user]\nSay {{ word }}.\n[assistant]\nSo.\n\n[user]\nSay no."
    assert turns(text, "here", word="so") == [("user", "Say so."), ("assistant", "So."), ("user", "Say no.")]
    assert turns("Say {{ word }}.", "here", word="so") == [("user", "Say so.")]


def test_a_turn_that_is_empty_is_none_and_a_value_makes_no_turns() -> None:
    text = "[system]\n{{ who }}\n[user]\n{{ word }}"
    assert turns(text, "here", who="", word="[assistant]\nsay") == [("user", "[assistant]\nsay")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello\n[user]\nSay so.", "before the first turn: 'Hello'"),
        ("[user]\nSay so.\n[assistant]\nSo.", "must end with one of the user"),
        ("[user]\n{{ word }}\n[user]\n{{ wrod }}", "wrod.*`word`"),
    ],
)
def test_turns_that_cannot_be_asked(text: str, found: str) -> None:
    with pytest.raises(TemplateError, match=found):
        turns(text, "here", word="")


def test_a_value_may_be_called_text_or_where() -> None:
    assert render("{{ text }} {{ where }}", "here", text="so", where="there") == "so there"
    assert turns("{{ text }}", "here", text="so") == [("user", "so")]


def test_a_fault_is_found_before_any_value_is_given() -> None:
    assert fault("{{ question }}") is None
    assert fault("[user]\n{{ a }}\n[assistant]\n{{ b }}\n[user]\n{% if %}") is not None
    assert "not a Jinja template" in str(fault("{% if %} {{ foo }}"))


def test_a_template_that_never_ends_is_an_error() -> None:
    with pytest.raises(TemplateError, match="recursion"):
        render("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "here")
