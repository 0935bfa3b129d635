"""a run, one of its steps, or an exported student -> every file that is not as it was written: changed, missing or added.

A step's files are held against its manifest, the manifest against the key that it is under, and the keys of what it was
made from against the run's other steps. Files are hashed as they are read, on all processors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, ItemsView, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from distill.artifacts import MANIFEST, file_hash, handed_on, intact, key_of
from distill.errors import ArtifactError, SourceError
from distill.names import folder_name
from distill.rows import Frozen

EXPORTED = "export.json"


class Fault(Frozen):
    step: str
    file: str
    what: Literal["changed", "missing", "added", "a link", "unreadable", "of another key", "made from another"]
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.step}/{self.file}: {self.what}{f' ({self.detail})' if self.detail else ''}"


class Verified(Frozen):
    steps: int
    files: int
    bytes: int
    faults: tuple[Fault, ...]


def verify(folder: Path) -> Verified:
    """Everything in a run folder, an artifact or an export.

    Raises:
        SourceError: it is none of them.
    """
    steps = [folder] if (folder / MANIFEST).is_file() or (folder / EXPORTED).is_file() else []
    steps = steps or sorted(folder.glob("[0-9]-*"))
    if not steps:
        raise SourceError("nothing there has been made, or exported", where=str(folder), hint="name a run or an export")
    faults: list[Fault] = []
    told: dict[str, Mapping[str, Any]] = {}
    wanted: list[tuple[str, Path, str, Mapping[str, Any]]] = []
    for step in steps:
        try:
            said = _said(step)
        except (OSError, ValueError) as error:
            gone = not step.exists() or isinstance(error, FileNotFoundError)
            name = MANIFEST if step.is_symlink() or not (step / EXPORTED).is_file() else EXPORTED
            faults.append(Fault(step=step.name, file=name, what="missing" if gone else "unreadable"))
            continue
        told[step.name] = said
        wanted += [(step.name, step / name, name, known) for name, known in said["files"].items()]
        faults += _added(step, said["files"])
    faults += _keys(told)
    if folder not in steps:
        faults += _gone(told, {step.name.partition("-")[2] for step in steps})
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        faults += [fault for fault in pool.map(lambda one: _checked(*one), wanted) if fault]
    sizes = sum(known["bytes"] for *_, known in wanted)
    return Verified(steps=len(steps), files=len(wanted), bytes=sizes, faults=tuple(faults))


def _said(step: Path) -> dict[str, Any]:
    """What a folder says of its own files.

    Raises:
        ValueError: it is not as distill writes it.
    """
    exported = _exported(step)
    said = json.loads((step / (EXPORTED if exported else MANIFEST)).read_text(encoding="utf-8"))
    try:
        for name, known in said["files"].items():
            if not isinstance(known["bytes"], int) or not isinstance(known["sha256"], str) or ".." in Path(name).parts:
                raise ValueError(name)
        if not exported and not (
            isinstance(said["identity"]["upstream"].items(), ItemsView) and said["node"] and said["key"]
        ):
            raise ValueError(MANIFEST)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
    return dict(said)


def _exported(step: Path) -> bool:
    """What has a manifest is a step, whatever else was put there."""
    return (step / EXPORTED).is_file() and not (step / MANIFEST).is_file()


def _added(step: Path, files: Mapping[str, Any]) -> Iterator[Fault]:
    exported = _exported(step)
    for path in sorted(step.rglob("*")):
        name = path.relative_to(step).as_posix()
        if exported and (name == ".gitattributes" or name.startswith((".git/", ".cache/huggingface/"))):
            continue  # what the hub and its client keep in a repository
        if path.is_symlink() and not exported:  # the client keeps its files elsewhere, and links to them
            yield Fault(step=step.name, file=name, what="a link", detail=f"to {path.readlink()}")
        elif path.is_file() and name not in files and name != (EXPORTED if exported else MANIFEST):
            yield Fault(step=step.name, file=name, what="added")


def _gone(told: Mapping[str, Mapping[str, Any]], there: Collection[str]) -> Iterator[Fault]:
    """Steps that others of the run were made from, and that are not among them."""
    needs = {node: step for step, said in told.items() for node in said["identity"]["upstream"]}
    for node, step in needs.items():
        if folder_name(node) not in there:
            yield Fault(step=folder_name(node), file=MANIFEST, what="missing", detail=f"{step} was made from it")


def _checked(step: str, path: Path, name: str, known: Mapping[str, Any]) -> Fault | None:
    try:
        size = path.stat().st_size
        if size != known["bytes"]:
            return Fault(
                step=step,
                file=name,
                what="changed",
                detail=f"{known['bytes']:,} bytes when it was written, now {size:,}",
            )
        if file_hash(path) != known["sha256"]:
            return Fault(step=step, file=name, what="changed", detail="of the same size")
    except FileNotFoundError:
        return Fault(step=step, file=name, what="missing")
    except OSError as error:
        return Fault(step=step, file=name, what="unreadable", detail=str(error.strerror))
    return None


def _keys(told: Mapping[str, Mapping[str, Any]]) -> Iterator[Fault]:
    """Manifests whose key is not that of what they say, and steps that were made from others than the run has."""
    keys = {said["node"]: handed_on(said["identity"]) for said in told.values() if "identity" in said}
    for step, said in told.items():
        if "identity" not in said:
            if not intact(said):
                yield Fault(step=step, file=EXPORTED, what="changed", detail="what it says")
            continue
        if key_of(said["identity"]) != said["key"]:
            yield Fault(step=step, file=MANIFEST, what="of another key", detail=f"says {said['key']}")
        elif not intact(said):
            yield Fault(step=step, file=MANIFEST, what="changed", detail="what it says")
        for node, key in said["identity"]["upstream"].items():
            if keys.get(node, key) != key:
                detail = f"{node} {key}, and the run's is {keys[node]}"
                yield Fault(step=step, file=MANIFEST, what="made from another", detail=detail)


def checked(folder: Path, found: Verified) -> str:
    """The same in words.

    Raises:
        ArtifactError: something is not as it was written; names it.
    """
    size = f"{found.bytes / 2**20:,.1f} MiB"
    if found.faults:
        raise ArtifactError(
            "\n  ".join(
                [f"{len(found.faults)} of {found.files} files are not as they were written", *map(str, found.faults)]
            ),
            where=str(folder),
            hint="remove the step from the cache: `distill run RECIPE` makes it again from the answers that are kept",
        )
    return f"{folder}: {found.files} files in {found.steps} steps are as they were written ({size})"
