"""recipe file -> plain value + the file and line of every key: `extends`, `--set`, and errors that say where.

Knows YAML and nothing of what a recipe means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from distill.errors import RecipeError
from distill.yaml_errors import place, problem

KeyPath = tuple[str | int, ...]
EXTENDS = "extends"
PLAIN = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass
class Document:
    """A recipe as written: its value, and `file:line` for every key path in it."""

    value: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, str] = field(default_factory=dict)

    def place(self, path: KeyPath) -> str:
        """`file:line` of a key, or of the nearest key above it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, "")


def dotted(path: Sequence[str | int]) -> str:
    """`filter.0.max_tokens`: a key path as it is written on the command line."""
    return ".".join(str(part) for part in path)


def read(path: Path, overrides: Sequence[str] = (), unsaid: Callable[[KeyPath], Any] = lambda _: None) -> Document:
    """Read a recipe, what it extends, and lay the overrides over it.

    Args:
        overrides: `a.b=c`, the value written as in YAML; `a.b+=c` for one more entry of a list.
        unsaid: key path -> the list that is meant where the recipe has none, which an entry is added to.

    Raises:
        RecipeError: unreadable file, bad YAML, a key given twice, a circle of `extends`, an override that fits nowhere.
    """
    document = _read_extended(path, ())
    for override in overrides:
        _override(document, override, unsaid)
    return document


def _read_extended(path: Path, seen: tuple[Path, ...]) -> Document:
    if path.resolve() in seen:
        raise RecipeError("a recipe that extends itself", where=str(path))
    document = _read_one(path)
    parent = document.value.pop(EXTENDS, None)
    if parent is None:
        return document
    if not isinstance(parent, str):
        raise RecipeError(f"extends must be one file name (found {parent!r})", where=document.place((EXTENDS,)))
    base_path = path.parent / parent
    if not base_path.is_file():
        raise RecipeError(f"extends names a file that is not there: {base_path}", where=document.place((EXTENDS,)))
    base = _read_extended(base_path, (*seen, path.resolve()))
    _merge(base, document, ())
    return base


def _read_one(path: Path) -> Document:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = "distill check recipes/quickstart.yaml reads a recipe that ships with distill"
        raise RecipeError(f"cannot be read: {error}", where=str(path), hint=hint) from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise RecipeError(f"not YAML: {problem(error)}", where=place(error, path)) from error
    if not isinstance(root, yaml.MappingNode):
        raise RecipeError("a recipe is a mapping of keys; this file holds none", where=str(path))
    document = Document()
    try:
        document.value = _construct(root, (), document.places, path)
    except yaml.YAMLError as error:
        raise RecipeError(f"not YAML: {error}", where=str(path)) from error
    return document


def _construct(node: yaml.Node, path: KeyPath, places: dict[KeyPath, str], file: Path) -> Any:
    """The value of a YAML node, noting the line of each key on the way."""
    places.setdefault(path, f"{file}:{node.start_mark.line + 1}")
    if isinstance(node, yaml.CollectionNode) and node.tag not in PLAIN:
        raise RecipeError(f"not YAML: the tag {node.tag} makes objects, a recipe holds data", where=places[path])
    if isinstance(node, yaml.MappingNode):
        written = [(str(key.value), key.start_mark.line + 1) for key, _ in node.value]
        for number, (key, line) in enumerate(written):
            if key in (before for before, _ in written[:number]):
                raise RecipeError(f"the key {dotted((*path, key))} is given twice", where=f"{file}:{line}")
        yaml.SafeLoader("").flatten_mapping(node)  # merge keys, `<<: *anchor`: what is written here comes last and wins
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            # As it is written: YAML 1.1 takes a plain `on` for true.
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else str(_scalar(key_node))
            where = f"{file}:{key_node.start_mark.line + 1}"
            places[(*path, key)] = where
            mapping[key] = _construct(value_node, (*path, key), places, file)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_construct(child, (*path, index), places, file) for index, child in enumerate(node.value)]
    return _scalar(node)


def _scalar(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()


def _merge(base: Document, over: Document, path: KeyPath) -> None:
    """Lay `over` onto `base`: mappings key by key, everything else (lists too) replaced as a whole."""
    target, source = _at(base.value, path), _at(over.value, path)
    for key, value in source.items():
        here = (*path, key)
        both = isinstance(value, Mapping) and isinstance(target.get(key), Mapping)
        # A mapping of another kind is another thing: its old fields must not linger.
        if both and value.get("kind", target[key].get("kind")) == target[key].get("kind"):
            base.places[here] = over.places[here]
            _merge(base, over, here)
            continue
        target[key] = value
        for known in [known for known in base.places if known[: len(here)] == here]:
            del base.places[known]
        base.places.update({known: place for known, place in over.places.items() if known[: len(here)] == here})


def _at(value: Any, path: KeyPath) -> Any:
    for part in path:
        value = value[part]
    return value


def _override(document: Document, override: str, unsaid: Callable[[KeyPath], Any]) -> None:
    where = f"--set {override}"
    name, equals, text = override.partition("=")
    if not equals or not name:
        raise RecipeError("an override is written KEY.PATH=VALUE, or KEY.PATH+=ENTRY for a list", where=where)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise RecipeError(f"the value is not YAML: {error}", where=where) from error
    value = None if root is None else _construct(root, (), {}, Path(where))
    target: Any = document.value
    path: KeyPath = ()
    more = name.endswith("+")
    *parents, last = name.removesuffix("+").split(".")
    for part in parents:
        key = _key(target, part, where)
        path = (*path, key)
        target = target.setdefault(str(key), {}) if isinstance(target, dict) else target[key]
        if not isinstance(target, dict | list):
            raise RecipeError(f"{dotted(path)} is {target!r}, nothing lies under it", where=where)
    key = _key(target, last, where)
    path = (*path, key)
    if more:
        there = target.get(key) if isinstance(target, dict) else target[key]
        there = unsaid(path) if there is None else there
        if not isinstance(there, list):
            raise RecipeError(f"{dotted(path)} is no list (found {there!r:.60}): nothing is added to it", where=where)
        value, entry = [*there, value], (*path, len(there))
        document.places.setdefault(path, where)
        document.places[entry] = where
    else:
        document.places[path] = where
    target[key] = value


def _key(target: Any, part: str, where: str) -> str | int:
    if isinstance(target, dict):
        return part
    if not part.isdigit() or int(part) >= len(target):
        raise RecipeError(f"{part!r} is no place in a list of {len(target)} (0 to {len(target) - 1})", where=where)
    return int(part)


def walk(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every leaf of a plain value with its key path."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from walk(child, (*path, key))
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from walk(child, (*path, index))
    else:
        yield path, value
