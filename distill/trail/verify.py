"""a run, one of its steps, or an exported student -> every file that is not as it was written: changed, missing or added.

A step's files are held against its manifest, the manifest against the key that it is under, and the keys of what it was
made from against the run's other steps. Files are hashed as they are read, on all processors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from distill.artifacts import MANIFEST, file_hash, handed_on, key_of
from distill.errors import ArtifactError, SourceError
from distill.rows import Frozen

EXPORTED = "export.json"


class Fault(Frozen):
    step: str
    file: str
    what: Literal["changed", "missing", "added", "unreadable", "of another key", "made from another"]
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
            files: Mapping[str, Any] = said["files"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            gone = not step.exists() or isinstance(error, FileNotFoundError)
            name = EXPORTED if (step / EXPORTED).is_file() else MANIFEST
            faults.append(Fault(step=step.name, file=name, what="missing" if gone else "unreadable"))
            continue
        told[step.name] = said
        wanted += [(step.name, step / name, name, known) for name, known in files.items()]
        faults += _added(step, files)
    faults += _keys(told)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        faults += [fault for fault in pool.map(lambda one: _checked(*one), wanted) if fault]
    sizes = sum(int(known["bytes"]) for *_, known in wanted)
    return Verified(steps=len(steps), files=len(wanted), bytes=sizes, faults=tuple(faults))


def _said(step: Path) -> dict[str, Any]:
    """What a folder says of its own files."""
    path = step / (MANIFEST if (step / MANIFEST).is_file() or not (step / EXPORTED).is_file() else EXPORTED)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _added(step: Path, files: Mapping[str, Any]) -> Iterator[Fault]:
    exported = (step / EXPORTED).is_file()
    for path in sorted(step.rglob("*")):
        name = path.relative_to(step).as_posix()
        if exported and (name == ".gitattributes" or name.startswith((".git/", ".cache/"))):
            continue  # what the hub and its client keep in a repository
        if path.is_file() and name not in files and name not in (MANIFEST, EXPORTED):
            yield Fault(step=step.name, file=name, what="added")


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
            continue
        if key_of(said["identity"]) != said["key"]:
            yield Fault(step=step, file=MANIFEST, what="of another key", detail=f"says {said['key']}")
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
