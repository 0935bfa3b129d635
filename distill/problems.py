"""pydantic's complaints -> one line a problem: file, line, key path, what was found, the nearest right spelling."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from distill.recipe_file import Document, KeyPath, dotted


def describe(error: ValidationError, model: type[BaseModel], document: Document) -> list[str]:
    """Every problem in the order of the file."""
    schema = model.model_json_schema()
    found: dict[str, tuple[str, int]] = {}
    for problem in error.errors(include_url=False):
        if problem["type"] == "too_short" and problem["input"]:
            continue  # a list that is short only because its parts are wrong, which is said of each
        path = _real_path(problem["loc"], document.value, problem["type"])
        place = document.place(path)
        file, _, line = place.rpartition(":")
        text = f"{place}  {dotted(path)}: {_sentence(problem, path, schema, document.value)}"
        found[text] = (file, int(line)) if line.isdigit() else (place, 0)
    return sorted(found, key=found.__getitem__)


ELSEWHERE = {
    "rank": "r",
    "lora_alpha": "alpha",
    "use_rslora": "rslora",
    "use_dora": "dora",
    "qlora": "quantization: nf4",
    "load_in_4bit": "quantization: nf4",
    "load_in_8bit": "quantization: int8",
    "lr": "learning_rate",
    "lr_scheduler_type": "scheduler",
    "num_train_epochs": "epochs",
    "max_seq_length": "max_length",
    "early_stopping_patience": "patience",
    "bf16": "dtype: bfloat16",
    "fp16": "dtype: float16",
    "per_device_train_batch_size": "runtime.per_device_batch",
    "gradient_accumulation_steps": "batch_size, from which it follows",
}
"""What keys of peft, TRL and transformers are called here."""
FEW = 4
"""Known words that are listed rather than one of them guessed."""


def nearest(word: str, known: list[str], cutoff: float = 0.5) -> str:
    """`did you mean x? (a, b, x)`, or what is known when nothing is near."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=cutoff)
    listed = ", ".join(known)
    return f"did you mean {close[0]}?" if close else f"known here: {listed}"


def _sentence(problem: Any, path: KeyPath, schema: Mapping[str, Any], value: Any) -> str:
    kind, context, found = problem["type"], problem.get("ctx", {}), problem["input"]
    if kind == "extra_forbidden":
        return f"unknown key; {_meant(str(path[-1]), path, schema, value)}"
    if kind == "missing":
        return "is required and missing"
    if kind == "union_tag_invalid":
        known = [tag.strip(" '") for tag in str(context["expected_tags"]).split(",")]
        return f"unknown kind {context['tag']!r}; {nearest(str(context['tag']), known)}"
    if kind == "union_tag_not_found":
        return f"has no {context['discriminator'].strip(chr(39))!r}, which says what it is"
    if kind == "literal_error" and isinstance(found, str):
        known = [word.strip(" '") for word in str(context["expected"]).replace(" or ", ",").split(",")]
        return f"unknown value {found!r}; {nearest(found, known, 0.5 if len(known) > FEW else 0.8)}"
    if kind in ("tuple_type", "list_type"):
        return f"must be a list, such as [{found if isinstance(found, str) else '…'}] (found {found!r:.60})"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return f"must be a mapping, such as {{kind: …}} (found {found!r:.60})"
    message = problem["msg"].removeprefix("Value error, ")
    shown = repr(found)
    message = message[0].lower() + message[1:]
    return message if kind == "value_error" else f"{message} (found {shown[:60]})"


def _meant(key: str, path: KeyPath, schema: Mapping[str, Any], value: Any) -> str:
    """The key that was meant: what it is called here, the same in another section, or the nearest here."""
    if key in ELSEWHERE:
        return f"did you mean {ELSEWHERE[key]}?"
    known = sorted(_names_at(schema, path[:-1], value))
    sections = [name for name in schema["properties"] if key in _names_at(schema, (name,), value)]
    if sections and not difflib.get_close_matches(key, known, n=1, cutoff=0.8):
        return f"did you mean {' or '.join(f'{name}.{key}' for name in sections)}?"
    return nearest(key, known)


def _real_path(location: tuple[str | int, ...], value: Any, kind: str) -> KeyPath:
    """pydantic's location without the union tags that it puts between the keys."""
    path: KeyPath = ()
    for position, part in enumerate(location):
        last = position == len(location) - 1
        inside = isinstance(value, dict) and part in value
        inside = inside or (isinstance(value, list) and isinstance(part, int) and part < len(value))
        if inside:
            path, value = (*path, part), value[part]
        elif last and kind == "missing":
            path = (*path, part)
    return path


def _names_at(schema: Mapping[str, Any], path: KeyPath, value: Any) -> set[str]:
    """Keys that the schema knows at a path."""
    nodes: list[Mapping[str, Any]] = [schema]
    for part in path:
        nodes = [child for node in nodes for child in _children(schema, node, part, value)]
        value = _inside(value, part)
    return {name for node in nodes for flat in _flatten(schema, node, value) for name in flat.get("properties", {})}


def _inside(value: Any, part: str | int) -> Any:
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def _children(
    root: Mapping[str, Any], node: Mapping[str, Any], part: str | int, value: Any
) -> Iterator[Mapping[str, Any]]:
    for flat in _flatten(root, node, value):
        if isinstance(part, int):
            if "items" in flat:
                yield flat["items"]
        elif part in flat.get("properties", {}):
            yield flat["properties"][part]
        elif isinstance(flat.get("additionalProperties"), Mapping):
            yield flat["additionalProperties"]


def _flatten(root: Mapping[str, Any], node: Mapping[str, Any], value: Any) -> Iterator[Mapping[str, Any]]:
    """The plain schemas behind references and unions; of a union by kind, the one that the value names."""
    if "$ref" in node:
        yield from _flatten(root, root["$defs"][node["$ref"].rsplit("/", 1)[1]], value)
        return
    mapping = node.get("discriminator", {}).get("mapping", {})
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind in mapping:
        yield from _flatten(root, {"$ref": mapping[kind]}, value)
        return
    options = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    if not options:
        yield node
    flat = [plain for option in options for plain in _flatten(root, option, value)]
    yield from [plain for plain in flat if not _contradicts(plain, value)] or flat


def _contradicts(plain: Mapping[str, Any], value: Any) -> bool:
    """Whether the value says by a constant, such as its objective, that it is something else."""
    said = value if isinstance(value, dict) else {}
    constants = {name: part for name, part in plain.get("properties", {}).items() if "const" in part}
    return any(said.get(name, part.get("default")) != part["const"] for name, part in constants.items())
