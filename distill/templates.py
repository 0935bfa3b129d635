"""Prompt files: text that is said to a model, shipped in folders called `prompts/` or written in the recipe.

    distill/<stage>/prompts/<kind>/<name>.md.j2     of one method or filter
    distill/prompts/<name>.md.j2                    shared by all

A file may hold several turns of a conversation, such as worked examples that a weak model can go on from: a line
`[user]`, `[assistant]` or `[system]` begins one, and each is a template of its own.

Jinja in a sandbox: a template can do nothing but make text of the values it is given, and a name it does not know is an
error. It knows nothing of messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from distill.errors import TemplateError

SHARED = Path(__file__).parent / "prompts"
SUFFIX = ".md.j2"
TURN = re.compile(r"^\[(system|user|assistant)\][ \t]*$", re.M)
"""The line that begins a turn. It is looked for in the template alone: a value that holds such a line is text."""


@lru_cache(maxsize=256)
def shipped(folder: Path, kind: str, name: str) -> str:
    """Text of a prompt file: that of one method or filter, or else the one that all share.

    Args:
        folder: `prompts/` of the stage.
    """
    own = folder / kind / f"{name}{SUFFIX}"
    return (own if own.is_file() else SHARED / f"{name}{SUFFIX}").read_text(encoding="utf-8")


@lru_cache(maxsize=4096)
def _compile(text: str, where: str) -> object:
    from jinja2 import StrictUndefined
    from jinja2 import TemplateError as JinjaError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    try:
        return environment.from_string(text)
    except JinjaError as error:
        raise TemplateError(f"not a Jinja template: {error}", where=where) from error


def fault(text: str) -> str | None:
    """What is wrong with a template before it is given any value; None where it can be read."""
    try:
        for part in TURN.split(text)[::2]:
            _compile(part, "")
    except TemplateError as error:
        return str(error)
    return None


def render(text: str, where: str, /, **values: object) -> str:
    """The text with its values in place, without white space around it.

    Args:
        where: what to call the template in an error.

    Raises:
        TemplateError: not Jinja, a value it does not have, or nothing that is left to say.
    """
    said = _fill(text, where, values)
    if not said:
        raise TemplateError(f"it comes out empty; it may use {_known(values)}", where=where)
    return said


def turns(text: str, where: str, /, **values: object) -> list[tuple[str, str]]:
    """Role and content of each turn; of a text without marks one of the user. A turn that comes out empty is none.

    Raises:
        TemplateError: as above, text before the first mark, or turns that do not end with the user's.
    """
    before, *parts = TURN.split(text)
    if not parts:
        return [("user", render(text, where, **values))]
    filled = [(role, _fill(part, where, values)) for role, part in zip(parts[::2], parts[1::2], strict=True)]
    said = [(role, content) for role, content in filled if content]
    if before.strip():
        raise TemplateError(f"there is text before the first turn: {before.strip()[:60]!r}", where=where)
    if not said or said[-1][0] != "user":
        raise TemplateError("its turns must end with one of the user, which the model answers", where=where)
    return said


def _fill(text: str, where: str, values: Mapping[str, object]) -> str:
    from jinja2 import Template
    from jinja2 import TemplateError as JinjaError

    template = _compile(text, where)
    assert isinstance(template, Template)
    try:
        return template.render(**values).strip()
    except (JinjaError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        raise TemplateError(f"{error}; it may use {_known(values)}", where=where) from error


def _known(values: Mapping[str, object]) -> str:
    return ", ".join(f"`{name}`" for name in values) or "no values"
