"""References to models and data, followed without guessing: where it lies on this machine and exactly what it is.

    package:NAME/PATH     a file or folder inside an installed package
    ./x  ../x  /x  ~/x    a file or folder (relative to the recipe); a bare name that exists there too
    run:NAME/NODE[@STEP]  what another run made; @STEP is a checkpoint of a train node
    rows:FOLDER           a folder of rows that distill wrote (rows.jsonl, kept.jsonl or train.jsonl)
    org/name[@REVISION]   a hub id

Nothing here opens a model or runs code of a package. Only `fetch` uses the network.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from distill.context import NOWHERE, UNVERSIONED, Resolved
from distill.errors import SourceError
from distill.names import folder_name, stage
from distill.sources import hub
from distill.sources.content import content_revision
from distill.sources.licences import card_terms, package_terms, student_terms

What = Literal["model", "data"]
Kind = Literal["package", "run", "rows", "path", "hub"]
ROW_FILES = ("rows.jsonl", "kept.jsonl", "train.jsonl")
FILE_SUFFIXES = (
    *(".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".yaml", ".yml", ".txt", ".md"),
    *(".gguf", ".safetensors"),
)
KINDS = "package:NAME/PATH, ./PATH, run:NAME/NODE, rows:FOLDER or a hub id org/name[@REVISION]"


def resolve(ref: str, what: What, base: Path, runs: Path, cache: Path) -> Resolved:
    """Follow a reference, offline.

    Args:
        ref: see the module's table.
        what: whether a model or data is wanted.
        base: folder that relative paths start from (the recipe's).
        runs: folder of run folders, for `run:`.
        cache: hashes of large files are remembered under it by path, size and time of change.

    Raises:
        NotFetchedError: a hub id that is not in the local hub cache.
        SourceError: it leads nowhere; the message names what is there instead.
    """
    kind = _kind(ref, base)
    rest = ref.partition(":")[2]
    if kind == "hub":
        return hub.cached(ref, what)
    if kind == "run":
        return _run(ref, rest, what, runs)
    if kind == "package":
        path = _package(ref, rest)
        return Resolved(ref, path, content_revision(path, cache), package_terms(rest.partition("/")[0].split(".")[0]))
    path = _local(ref, rest if kind == "rows" else ref, base)
    if kind == "rows":
        path = _rows_file(ref, path)
        return Resolved(ref, path, content_revision(path, cache))
    return Resolved(ref, path, content_revision(path, cache), student_terms(path) or card_terms(path))


def served(ref: str) -> Resolved:
    """A model behind a server: `name` or `name@REVISION` as the recipe states it, neither looked for nor checked."""
    name, _, revision = ref.partition("@")
    return Resolved(name, NOWHERE, revision or UNVERSIONED)


def fetch(ref: str, what: What, base: Path = Path()) -> str | None:
    """Bring a hub id into the local hub cache, over the network, and return its commit.

    Any other reference is on this machine or nowhere: None at once.

    Raises:
        NotFetchedError: no network, and not cached either.
        SourceError: the hub has no such thing, or does not show it to you.
    """
    return hub.fetch(ref, what) if _kind(ref, base) == "hub" else None


def nearest(name: str, names: Iterable[str]) -> str:
    """The names most like `name`, or the first few of them, for the text of an error."""
    there = sorted(set(names))
    return ", ".join(difflib.get_close_matches(name, there, n=3, cutoff=0.5) or there[:5]) or "nothing"


def _kind(ref: str, base: Path) -> Kind:
    """Which line of the module's table a reference is; what exists as a path is a path."""
    prefix, colon, rest = ref.partition(":")
    if colon and prefix in ("package", "run", "rows"):
        if not rest.strip():
            raise SourceError(f"{ref!r} names nothing after the colon", hint=f"write {KINDS}")
        return prefix  # type: ignore[return-value]
    if ref.startswith(("./", "../", "/", "~")) or ref in (".", "..") or (ref and (base / ref).exists()):
        return "path"
    if ref.endswith(FILE_SUFFIXES):
        raise SourceError(_absent(base / ref), where=ref)
    if hub.ID.fullmatch(ref):
        return "hub"
    raise SourceError(f"{ref!r} is neither there as a path nor a reference of a known kind", hint=f"write {KINDS}")


def _local(ref: str, text: str, base: Path) -> Path:
    """An existing path, absolute; links are left as they are."""
    try:
        path = (base / Path(text).expanduser()).absolute()
    except RuntimeError as error:  # ~name of a user who is not known here
        raise SourceError(str(error), where=ref) from error
    if not path.exists():
        raise SourceError(_absent(path), where=ref)
    return path


def _absent(path: Path) -> str:
    """What is missing, in the deepest folder that exists, and what that holds instead."""
    name, parent = path.name, path.absolute().parent
    while not parent.is_dir():
        name, parent = parent.name, parent.parent
    try:
        there = [entry.name for entry in parent.iterdir() if not entry.name.startswith((".", "__"))]
    except OSError as error:
        return f"{parent} cannot be listed: {error.strerror}"
    return f"no {name!r} in {parent}; nearest there: {nearest(name, there)}"


def _package(ref: str, rest: str) -> Path:
    """A path inside an installed package, found without running the package."""
    name, _, inner = rest.partition("/")
    top, *nested = name.split(".")
    parts = [*nested, *(part for part in inner.split("/") if part not in ("", "."))]
    if not all(part.isidentifier() for part in (top, *nested)):
        raise SourceError(f"{name!r} is not a package's name", where=ref, hint="write package:NAME/PATH")
    if ".." in parts:
        raise SourceError("the path leads out of the package", where=ref)
    try:  # of a top-level name only: to find `a.b`, Python would run `a`
        spec = importlib.util.find_spec(top)
    except ValueError:
        spec = None
    if spec is None:
        hint = f"pip install {top.replace('_', '-')}"
        raise SourceError(f"the package {top!r} is not installed", where=ref, hint=hint)
    roots = [Path(root) for root in spec.submodule_search_locations or ()]
    if not roots:
        raise SourceError(f"{top!r} is a single module and holds no files", where=ref)
    # Links are left as they are: some installers link every file of a package into a store elsewhere.
    found = [path for root in roots if (path := root.joinpath(*parts)).exists()]
    if not found:
        raise SourceError(_absent(roots[0].joinpath(*parts)), where=ref)
    if len(found) > 1:
        raise SourceError(f"found in several places: {', '.join(map(str, found))}", where=ref)
    return found[0]


def _run(ref: str, rest: str, what: What, runs: Path) -> Resolved:
    """What a node of another run made, or a checkpoint of a train node; the revision is the node's key."""
    name, _, node = rest.partition("/")
    if name in ("", ".", "..") or not node or ".." in node.split("/"):
        raise SourceError("not a run and a node", where=ref, hint="write run:NAME/NODE, such as run:quickstart/train")
    stem, at, step = node.rpartition("@")
    # `evaluate/student@50` is a node's own name; only training has checkpoints.
    checkpoint = bool(at) and step.isdecimal() and stage(stem) == "train"
    entry = _entry(ref, runs / name, stem if checkpoint else node)
    key = _key(ref, entry)
    if what == "data":
        if checkpoint:
            raise SourceError("a checkpoint holds no rows", where=ref)
        return Resolved(ref, _rows_file(ref, entry), key)
    if not (entry / "student.json").is_file():
        raise SourceError("this node made no model", where=ref, hint=f"name the train node: run:{name}/train")
    if not checkpoint:
        return Resolved(ref, entry, key, student_terms(entry))
    path = entry / "checkpoints" / f"checkpoint-{step}"
    if not path.is_dir():
        raise SourceError(_absent(path), where=ref)
    return Resolved(ref, path, f"{key}@{step}", student_terms(entry))


def _entry(ref: str, run: Path, node: str) -> Path:
    """The folder of a node within a run, that of the highest number where a changed plan left several."""
    if not run.is_dir():
        raise SourceError(_absent(run), where=ref, hint="`distill run RECIPE` makes it")
    entries = {e.name: e for e in run.iterdir() if re.fullmatch(r"\d+-.+", e.name)}
    wanted = folder_name(node)
    numbers = [int(name.partition("-")[0]) for name in entries if name.partition("-")[2] == wanted]
    if not numbers:
        nodes = nearest(wanted, (name.partition("-")[2] for name in entries))
        raise SourceError(f"no node {node!r} in {run}; nearest there: {nodes}", where=ref)
    found = [
        e for n, e in entries.items() if n.partition("-")[2] == wanted and int(n.partition("-")[0]) == max(numbers)
    ]
    if len(found) > 1:
        raise SourceError(f"several entries of one number: {', '.join(sorted(e.name for e in found))}", where=ref)
    return found[0]


def _key(ref: str, entry: Path) -> str:
    """The key that a finished node has in its manifest."""
    try:
        key = json.loads((entry / "manifest.json").read_text(encoding="utf-8"))["key"]
    except FileNotFoundError as error:
        raise SourceError(
            f"{entry} is not finished or was removed from the cache", where=ref, hint="run its recipe again"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"its manifest.json cannot be read: {error}", where=ref) from error
    if not isinstance(key, str) or not key:
        raise SourceError("its manifest.json has no key", where=ref)
    return key


def _rows_file(ref: str, path: Path) -> Path:
    """The one file of rows in a folder; a file is itself."""
    if path.is_file():
        return path
    found = [path / name for name in ROW_FILES if (path / name).is_file()]
    if not found:
        raise SourceError(f"none of {', '.join(ROW_FILES)} in {path}", where=ref)
    if len(found) > 1:
        raise SourceError(f"several files of rows: {', '.join(f.name for f in found)}", where=ref, hint="name one file")
    return found[0]
