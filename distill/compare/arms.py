"""items.jsonl of every arm -> values that can be paired; arms that must not be compared are refused.

Texts stay on disk until a few of them are asked for: ten thousand items of six arms are numbers here.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from distill.errors import CompareError
from distill.names import REAL_ONLY
from distill.suites.metrics import Metric

TEACHER, BASE, STUDENT = "teacher", "base", "student"
Key = tuple[str, str]
"""Suite and id of an item."""


class Item(NamedTuple):
    root: str
    asked: str
    """Hash of all that an arm is told: system prompt, instruction, examples and question."""
    content: str
    """Hash of all that was asked, and of the reference."""
    metrics: dict[str, tuple[float, float]]
    """Metric -> value and weight, finite, weight above zero. What could not be measured is absent."""
    answered: bool
    """Whether the arm generated an answer."""
    confidence: float | None
    """Of what it chose, between 0 and 1; None where nothing was chosen."""


@dataclass(frozen=True)
class Arm:
    name: str
    file: Path
    summary: Mapping[str, Any]
    items: Mapping[Key, Item]

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """What `<suite>.<metric>` means, in the order of the suites."""
        return {name: Metric(**about) for name, about in self.summary["metrics"].items()}

    @property
    def tokenizer(self) -> str | None:
        """Hash of its vocabulary; None for an engine that has none."""
        tokenizer: str | None = self.summary["tokenizer"]
        return tokenizer


def read_arms(inputs: Mapping[str, Path]) -> list[Arm]:
    """Every `evaluate/*` folder in the order teacher, base, student of each seed, the one of real rows alone, then the others by
    name and step.

    Raises:
        CompareError: no arm at all, an unreadable line, or arms that differ in what must be equal.
    """
    names = sorted((name.split("/", 1)[1] for name in inputs if name.startswith("evaluate/")), key=_order)
    if not names:
        raise CompareError("there is no evaluated arm to report on", hint="run evaluate first")
    arms = [_read(name, inputs[f"evaluate/{name}"]) for name in names]
    for arm in arms[1:]:
        _refuse_unlike(arms[0], arm)
    for index, arm in enumerate(arms):
        for other in arms[:index]:
            _refuse_template(other, arm)
    return arms


def summary_of(folder: Path) -> dict[str, Any]:
    """What a stage said of itself.

    Raises:
        CompareError: a folder without a manifest: not an artifact, or not a whole one.
    """
    manifest: dict[str, Any] = manifest_of(folder)["summary"]
    return manifest


def manifest_of(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CompareError(f"no readable manifest: {error}", where=str(path), hint="run the recipe again") from error
    return manifest


def read_student(inputs: Mapping[str, Path], trained: str) -> dict[str, Any] | None:
    """What a training says the student is; None where nothing was trained in this run."""
    path = inputs[trained] / "student.json" if trained in inputs else None
    if path is None or not path.exists():
        return None
    student: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return student


def training_seeds(arms: Sequence[Arm]) -> list[str]:
    """`student`, `student#2`, `student#3`: trainings that differ in their seed alone, in their order."""
    return [arm.name for arm in arms if re.fullmatch(rf"{STUDENT}(#\d+)?", arm.name)]


def texts(arm: Arm, wanted: set[Key]) -> dict[Key, dict[str, Any]]:
    """The whole lines of the wanted items."""
    return {key: line for line in _lines(arm.file) if (key := (str(line["suite"]), str(line["item"]))) in wanted}


def answers(arm: Arm, suites: Collection[str]) -> Iterator[str]:
    """What the arm generated in some suites, one answer to each root: two suites may ask the same prompts."""
    asked: set[str] = set()
    for line in _lines(arm.file):
        if line["answer"] and line["suite"] in suites and line["root"] not in asked:
            asked.add(line["root"])
            yield str(line["answer"])


def references(arm: Arm, wanted: set[Key]) -> dict[Key, str]:
    """The answers that the wanted items are held against."""
    return {key: str(line["reference"] or "") for key, line in texts(arm, wanted).items()}


def _order(name: str) -> tuple[int, str, int]:
    known = [TEACHER, BASE, STUDENT, REAL_ONLY]
    stem, mark, number = name.partition("@") if "@" in name else name.partition("#")
    place = known.index(stem) if stem in known and mark != "@" else len(known)  # other seeds beside the first
    return (place, stem, int(number) if number.isdigit() else -1)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            try:
                yield json.loads(text)
            except ValueError as error:
                raise CompareError(f"not an item: {error}", where=f"{path}:{number}") from error


def _read(name: str, folder: Path) -> Arm:
    path = folder / "items.jsonl"
    items: dict[Key, Item] = {}
    for line in _lines(path):
        key = (str(line["suite"]), str(line["item"]))
        if key in items:
            raise CompareError(f"item {key[1]} of {key[0]} is there twice", where=str(path))
        items[key] = _item(line)
    return Arm(name, path, summary_of(folder), items)


def _item(line: Mapping[str, Any]) -> Item:
    content = hashlib.sha256(repr((line["asked"], line["question"], line["reference"])).encode()).hexdigest()
    scored = {
        metric: (float(score["value"]), float(score["weight"]))
        for metric, score in (line["metrics"] or {}).items()
        # A loss that overflowed is a failure of this item in this metric, not a number to average.
        if math.isfinite(score["value"]) and math.isfinite(score["weight"]) and score["weight"] > 0
    }
    return Item(str(line["root"]), str(line["asked"]), content, scored, line["answer"] is not None, line["confidence"])


def _refuse_unlike(a: Arm, b: Arm) -> None:
    """Decoding and items must be those of the first arm, whatever the models are."""
    if differing := _differing(a.summary["decoding"], b.summary["decoding"]):
        one, other = (
            {key: how[key] for key in differing if key in how} for how in (a.summary["decoding"], b.summary["decoding"])
        )
        what = "treats thinking" if differing == ["thinking"] else "was decoded"
        raise CompareError(
            f"{a.name} {what} with {one} and {b.name} with {other}",
            where="evaluate",
            hint="evaluate every arm with the same settings",
        )
    if a.items.keys() != b.items.keys():
        only_a, only_b = sorted(a.items.keys() - b.items.keys()), sorted(b.items.keys() - a.items.keys())
        raise CompareError(
            f"{a.name} has {len(a.items)} items and {b.name} {len(b.items)}: "
            f"{_count(only_a)} only in {a.name}, {_count(only_b)} only in {b.name}",
            where="evaluate",
            hint="evaluate every arm on the same held-out rows",
        )
    changed = [key for key, item in a.items.items() if item.content != b.items[key].content]
    told = [key for key in changed if a.items[key].asked != b.items[key].asked]
    if changed:
        what = "system prompt, instruction, examples or question" if told else "question or reference"
        raise CompareError(
            f"{_count(told or changed)} with another {what} in {a.name} than in {b.name}",
            where="evaluate",
            hint="evaluate every arm on the same items, asked in the same words",
        )


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Keys of which the two have different values."""
    return [key for key in dict.fromkeys([*a, *b]) if a.get(key) != b.get(key)]


def _refuse_template(a: Arm, b: Arm) -> None:
    """Models of one vocabulary must be asked in one template; another family brings its own."""
    if a.tokenizer == b.tokenizer and a.summary["template"] != b.summary["template"]:
        raise CompareError(
            f"{a.name} was asked with chat template {a.summary['template']} and {b.name} with {b.summary['template']}",
            where="evaluate",
            hint="give both models the same chat template and evaluate again",
        )


def _count(keys: Sequence[Key]) -> str:
    return f"{len(keys)} (such as {keys[0][1]} of {keys[0][0]})" if keys else "none"
