"""Write docs/recipe.md: every field of a recipe with its type, its default and what it means, from the specs themselves.

.venv/bin/python scripts/fields.py            write it
.venv/bin/python scripts/fields.py --check    only say whether it is as the specs are
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distill.recipe import json_schema

PAGE = Path(__file__).parents[1] / "docs" / "recipe.md"
HEAD = """# Every field of a recipe

Written by `scripts/fields.py` from the specs; `distill schema` prints the same for editors. A field without a default must
be given. Sections come in the order of the file, and after each what it is made of.
"""
SHORT = 60
"""Most letters of a default that is shown whole."""
MANY = 5
"""Alternatives from which on they are a list."""


def page(schema: Mapping[str, Any]) -> str:
    """The whole page: the recipe, then every part where it is met first."""
    definitions: Mapping[str, Any] = schema["$defs"]
    lines = [HEAD, "## Recipe", "", *table(schema)]
    waiting, done = list(named(schema)), set()
    while waiting:
        name = waiting.pop(0)
        if name in done:
            continue
        done.add(name)
        part = definitions[name]
        if "properties" in part:
            said = [line for line in (constant(part), about(part)) if line]
            lines += ["", f"## {title(name)}", "", *(["\n\n".join(said), ""] if said else []), *table(part)]
        waiting = [*named(part), *waiting]
    return "\n".join(lines) + "\n"


def title(name: str) -> str:
    """The spec's name; of two of one name each with the part of the recipe that it is of."""
    _, *parts = name.split("__")
    return f"{parts[-1]} of {parts[0]}" if parts else name


def constant(part: Mapping[str, Any]) -> str:
    """`kind: length`, where that says which it is."""
    said = {key: part["properties"].get(key, {}).get("const") for key in ("kind", "objective")}
    return "".join(f"`{key}: {value}`" for key, value in said.items() if value)


def about(part: Mapping[str, Any]) -> str:
    """First paragraph of the spec's docstring."""
    return str(part.get("description", "")).split("\n\n")[0].replace("\n", " ")


def table(part: Mapping[str, Any]) -> Iterator[str]:
    required = part.get("required", ())
    yield "| field | type | default | |"
    yield "|---|---|---|---|"
    for name, field in part["properties"].items():
        default = "" if name in required or "default" not in field else shown(field["default"])
        meaning = str(field.get("description", "")).replace("\n", " ").replace("|", "\\|")
        yield f"| `{name}` | {kind(field)} | {default} | {meaning} |"


def shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= SHORT else "see its fields"


def kind(field: Mapping[str, Any]) -> str:
    """A field's type in words that YAML's people know."""
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "$ref" in field:
        name = title(field["$ref"].rsplit("/", 1)[1])
        return f"[{name}](#{name.lower().replace(' ', '-')})"
    options = field.get("anyOf") or field.get("oneOf")
    if options:
        named = list(dict.fromkeys(kind(option) for option in options))
        return " or ".join(named) if len(named) < MANY else f"any of {', '.join(named)}"
    if field.get("type") == "array":
        return f"list of {kind(field['items'])}" if "items" in field else "list"
    values = [*field.get("patternProperties", {}).values(), field.get("additionalProperties")]
    if field.get("type") == "object" and isinstance(values[0], Mapping):
        return f"mapping of {kind(values[0])}"
    bounds = [f"{sign} {field[key]}" for key, sign in SIGNS.items() if key in field]
    word = WORDS.get(str(field.get("type")), str(field.get("type", "anything")))
    return " ".join([word, *bounds])


SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "nothing"}


def named(part: Any) -> Iterator[str]:
    """Parts that a schema refers to, in its order."""
    if isinstance(part, Mapping):
        if "$ref" in part:
            yield part["$ref"].rsplit("/", 1)[1]
        for key, value in part.items():
            if key not in ("$defs", "discriminator"):
                yield from named(value)
    elif isinstance(part, list):
        for value in part:
            yield from named(value)


def main() -> int:
    text = page(json_schema())
    if "--check" in sys.argv[1:]:
        if PAGE.read_text(encoding="utf-8") != text:
            print(f"{PAGE} is not as the specs are: run scripts/fields.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
