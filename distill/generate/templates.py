"""Prompt files: text that a method says to a teacher, shipped in `prompts/` or written in the recipe.

    prompts/<kind>/<name>.md.j2     of one method
    prompts/<name>.md.j2            shared by methods

Jinja in a sandbox: a template can do nothing but make text of the values it is given, and a name it does not know is an
error. It knows nothing of messages.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from distill.errors import TemplateError

FOLDER = Path(__file__).parent / "prompts"
SUFFIX = ".md.j2"


@lru_cache(maxsize=256)
def shipped(kind: str, name: str) -> str:
    """Text of a method's own prompt file, or else of a shared one."""
    own = FOLDER / kind / f"{name}{SUFFIX}"
    return (own if own.is_file() else FOLDER / f"{name}{SUFFIX}").read_text(encoding="utf-8")


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


def render(text: str, where: str, **values: object) -> str:
    """The text with its values in place, without white space around it.

    Args:
        where: what to call the template in an error.

    Raises:
        TemplateError: not Jinja, a value it does not have, or nothing that is left to say.
    """
    from jinja2 import Template
    from jinja2 import TemplateError as JinjaError

    template = _compile(text, where)
    assert isinstance(template, Template)
    known = ", ".join(f"`{name}`" for name in values) or "no values"
    try:
        said = template.render(**values).strip()
    except (JinjaError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise TemplateError(f"{error}; it may use {known}", where=where) from error
    if not said:
        raise TemplateError(f"it comes out empty; it may use {known}", where=where)
    return said
