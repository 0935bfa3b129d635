"""an origin -> the licence and notice files that lie with it, who wrote it, and what its card says it was made from.

Package metadata, the folder or the hub's cache on this machine; never the network. What is not there is empty, and that
says nothing of what there should be.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from distill.sources import hub
from distill.sources.licences import card_datasets

LICENCES = ("LICENSE*", "LICENCE*", "COPYING*")
PATTERNS = (*LICENCES, "NOTICE*", "USE_POLICY*")
LARGEST = 1 << 20
"""Bytes of a licence file; what is larger is none."""


@dataclass(frozen=True)
class Beside:
    files: dict[str, str] = field(default_factory=dict)
    """Text by file name."""
    holders: tuple[str, ...] = ()
    """Authors by the package's metadata."""
    datasets: tuple[str, ...] = ()
    """Data sets that its card says it was trained on."""

    @property
    def licensed(self) -> bool:
        """The text of a licence is among the files: a notice or a policy for use alone is none."""
        return any(fnmatchcase(name.upper(), pattern) for name in self.files for pattern in LICENCES)


def beside(origin: str, path: Path | None = None) -> Beside:
    """What lies with a model or data set.

    Args:
        origin: `<reference>@<revision>`.
        path: where it lies, where that is known; else it is looked for by its name.
    """
    name, _, revision = origin.rpartition("@")
    name = name or origin
    if name.startswith("package:"):
        return _of_package(name.partition(":")[2].partition("/")[0].split(".")[0])
    if path is None and hub.ID.fullmatch(name):
        path = hub.snapshot(name, revision)
    folder = path if path is None or path.is_dir() else path.parent
    if folder is None or not folder.is_dir():
        return Beside()
    return Beside(dict(_files(folder)), (), card_datasets(folder))


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted({path for pattern in PATTERNS for path in folder.glob(pattern)}):
        text = _text(path)
        if text:
            yield path.name, text


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.is_file() and path.stat().st_size <= LARGEST else ""
    except (OSError, ValueError):
        return ""


def _of_package(module: str) -> Beside:
    try:
        found = [importlib.metadata.distribution(module)]
    except importlib.metadata.PackageNotFoundError:
        names = importlib.metadata.packages_distributions().get(module, [])
        found = [importlib.metadata.distribution(name) for name in names]
    files, holders = dict[str, str](), dict[str, None]()
    for one in found:
        for path in one.files or ():
            if "dist-info" in path.parts[0] and any(path.match(pattern) for pattern in PATTERNS):
                files |= {path.name: text} if (text := _text(Path(str(path.locate())))) else {}
        holders |= dict.fromkeys(one.metadata.get_all("Author") or one.metadata.get_all("Author-email") or ())
    return Beside(files, tuple(holders))
