"""a run -> the folders of rows that it made or took, in the order of the flow, those of the runs that it took rows from first.

    runs/NAME/<n>-<node>     the run's own steps
    run:NAME/NODE            the artifact that was read, by its key, and with it all that run's steps
    rows:FOLDER              the folder, and where it is an artifact what that was made from

A folder that is on this machine no more is named as missing: what lay in it cannot be traced, and that is said.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from distill.artifacts import MANIFEST, handed_on
from distill.errors import DistillError, SourceError
from distill.load import load_recipe
from distill.names import folder_name
from distill.recipe import Recipe
from distill.sources import references
from distill.trail.index import Index, opened
from distill.train.settings import Training
from distill.workspace import RESOLVED, RUN

FLOW = ("split", "suites", "heldout", "benchmark", "generate", "filter", "mix")
"""Steps whose files hold rows, in the order in which rows go through them."""


@dataclass(frozen=True)
class Step:
    """A folder of rows."""

    run: str
    """Name of the run whose step it is; empty where no run on this machine is known to have made it."""
    name: str
    """`2-filter`, or the reference that led here."""
    path: Path
    cache: Path

    @property
    def label(self) -> str:
        return f"{self.run}/{self.name}" if self.run else self.name

    @cached_property
    def index(self) -> Index:
        return opened(self.path, self.cache)

    @property
    def manifest(self) -> dict[str, Any]:
        return manifest(self.path)


@dataclass(frozen=True)
class Run:
    """A run folder as it is."""

    folder: Path
    cache: Path

    @cached_property
    def recipe(self) -> Recipe:
        return load_recipe(self.folder / RESOLVED)

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def own(self) -> list[Step]:
        """Steps with rows, in the order of the flow."""
        found = [
            Step(self.name, path.name, path, self.cache)
            for path in sorted(self.folder.glob("[0-9]-*"))
            if path.name[2:].partition("@")[0] in FLOW and (path / MANIFEST).is_file()
        ]
        return sorted(found, key=lambda step: FLOW.index(step.name[2:].partition("@")[0]))

    @cached_property
    def base(self) -> Path:
        return Path(json.loads((self.folder / RUN).read_text(encoding="utf-8"))["base"])

    def trainings(self) -> Iterator[tuple[str, Path]]:
        """Node and folder of every training that is finished."""
        for path in sorted(self.folder.glob("4-*")):
            if (path / MANIFEST).is_file() and (path / "student.json").is_file():
                yield str(manifest(path)["node"]), path

    def learners(self) -> Iterator[tuple[str, Training, str]]:
        """Node of every training that is finished, what the recipe says of it, and the arm that it is of, if any."""
        settings = dict(zip(self.recipe.train_names, self.recipe.trainings, strict=True))
        for node, _ in self.trainings():
            name, _, arm = node.partition("@")
            first = name.partition("#")[0]  # every seed has the settings of the first
            yield node, settings.get(first, self.recipe.trainings[-1]), arm

    @cached_property
    def sources(self) -> dict[str, str]:
        """References to rows that the run took -> their revision when they were read, as split's and mix's manifests have it;
        empty where they were not read yet."""
        recipe, specs = self.recipe, {step.name[2:]: step.manifest["identity"]["spec"] for step in self.own}
        data = specs.get("split", {}).get("real", {})
        found = {
            real.data: str(data.get(name, {}).get("data", "")) for name, real in recipe.real.items() if real.has_rows
        }
        named = specs.get("mix", {}).get("mix", {}).get("earlier", ())
        earlier = [
            one["rows_of"] if isinstance(one, dict) else one for one in named
        ]  # before version 7 it was a list of text
        refs = recipe.mix.references
        return {**found, **dict.fromkeys(refs, ""), **dict(zip(refs, earlier, strict=False))}


def open_run(folder: Path, cache: Path) -> Run:
    """Raises:
    SourceError: not a run, or one that has made nothing yet."""
    if not (folder / RESOLVED).is_file():
        raise SourceError("not a run folder", where=str(folder), hint="name a run: `distill run RECIPE` makes it")
    run = Run(folder, cache)
    if not run.own:
        raise SourceError(
            "has no rows yet, or they were removed from the cache", where=str(folder), hint="run its recipe"
        )
    return run


def manifest(folder: Path) -> dict[str, Any]:
    """What an artifact says of itself.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(
            f"cannot be read: {error}", where=str(folder / MANIFEST), hint="run its recipe again"
        ) from error
    return found


def followed(run: Run, missing: list[str]) -> list[Step]:
    """The steps of a run after those of all runs that it took rows from.

    Args:
        missing: what leads to nothing on this machine is added here.
    """
    found: dict[Path, Step] = {}
    _follow(run, found, missing, {run.folder.resolve()})
    return list(found.values())


def _follow(run: Run, found: dict[Path, Step], missing: list[str], seen: set[Path]) -> None:
    for ref in run.sources:
        there = taken(run, ref)
        if there is None:
            missing.append(ref)
            continue
        owner = _owner(there, run)
        if owner is not None and owner.folder.resolve() not in seen:
            seen.add(owner.folder.resolve())
            _follow(owner, found, missing, seen)
        for path in _upward(there):
            found.setdefault(path.resolve(), Step("", ref if path == there else path.name, path, run.cache))
    for step in run.own:
        found.setdefault(step.path.resolve(), step)


def taken(run: Run, ref: str) -> Path | None:
    """What rows were read from: of a run's step the artifact of that time, else the file."""
    key = run.sources.get(ref, "")
    if ref.startswith("run:"):
        there = sorted(run.cache.glob(f"*-{key}")) if key and ":" not in key else []
        if there:
            return there[0]
    try:
        path = references.resolve(ref, "data", run.base, run.folder.absolute().parent, run.cache).path
    except DistillError:
        return None
    return next((folder for folder in path.parents[:2] if _is_artifact(folder)), path)


def _is_artifact(folder: Path) -> bool:
    """Whether a folder is one that distill made: others have files of that name too."""
    try:
        said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return bool(said["identity"]["upstream"] is not None and said["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _owner(taken: Path, run: Run) -> Run | None:
    """The run on this machine that has an artifact among its steps."""
    real = taken.resolve()
    for link in sorted(run.folder.absolute().parent.glob("*/[0-9]-*")):
        if link.resolve() == real and (link.parent / RESOLVED).is_file():
            owner = Run(link.parent, run.cache)
            with contextlib.suppress(DistillError):  # a recipe of another version; the manifests lead on without it
                return owner if owner.recipe else None
    return None


def _made(cache: Path, node: str, key: str) -> Path | None:
    """The folder of a node by what it handed on, which is its key as a rule."""
    if (path := cache / f"{folder_name(node)}-{key}").is_dir():
        return path
    beside = (path for path in sorted(cache.glob(f"{folder_name(node)}-*")) if (path / MANIFEST).is_file())
    return next((path for path in beside if handed_on(manifest(path)["identity"]) == key), None)


def _upward(folder: Path) -> Iterator[Path]:
    """What an artifact was made from, by the keys in its manifest, then itself; any other folder is itself."""
    if (folder / MANIFEST).is_file():
        upstream = manifest(folder)["identity"]["upstream"]
        for node, key in upstream.items():
            if node.partition("@")[0] in FLOW and (path := _made(folder.resolve().parent, node, key)):
                yield from _upward(path)
    yield folder
