"""A node's folder in the cache: whole or absent, under the hash of what it was made from, able to say why it is stale.

    cache/<node>-<key>/            what the stage wrote, and manifest.json, written last
    cache/.work/<node>-<key>/      being made; survives a kill, so that training resumes in it
    cache/.work/<node>-<key>.lock  held while it is being made

Knows nothing of what the stages do.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.context import Ranks, Resolved
from distill.errors import ArtifactError
from distill.names import folder_name
from distill.protocols import Summary
from distill.recipe_file import dotted, walk
from distill.rows import Frozen, digest

FORMAT = 1
"""Increase when the way keys are made changes: everything is made anew then."""
MANIFEST = "manifest.json"
SEAL = "seal"
HANDED = "handed"
"""Property of a spec, where less of it decides what is made from the node than what the node writes: a spec of that."""
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)
"""What the system says of a place where nothing can be made."""
NOTHING = 64
"""MiB: on a disk with less left, an error of no kind is that of the disk."""
CHECKED_BYTES = 8 * 2**20
"""Files up to this size are checked by hash at each hit; larger ones by size alone."""

Identity = dict[str, Any]


@dataclass(frozen=True)
class Artifact:
    """A finished node."""

    key: str
    path: Path
    manifest: Mapping[str, Any]

    @property
    def summary(self) -> Summary:
        return dict(self.manifest["summary"])


def identity(
    kind: str,
    version: int,
    spec: Frozen,
    sources: Mapping[str, Resolved],
    upstream: Mapping[str, str],
    stamped: Sequence[str] = (),
) -> Identity:
    """Everything that changes what a node makes, and nothing else.

    A reference stands for what it leads to: its revision replaces its spelling, so that the same file elsewhere is the
    same, and another file of the same name is another.

    Args:
        sources: what each reference in the spec was resolved to.
        upstream: key of each node it needs.
        stamped: references whose terms the node writes into what it makes.
    """

    def stamps(key: str, child: Any) -> bool:  # a data set may be called `terms` too
        return bool(stamped) and key == "terms" and isinstance(child, list)

    def replace(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replace(child) for key, child in value.items() if not stamps(key, child)}
        if isinstance(value, list):
            return [replace(child) for child in value]
        return sources[value].identity if isinstance(value, str) and value in sources else value

    described = {
        "node": kind,
        "format": FORMAT,
        "version": version,
        "spec": replace(spec.model_dump(mode="json")),
        "terms": {f"{number}": list(sources[ref].terms) for number, ref in enumerate(stamped)},
        "upstream": dict(upstream),
    }
    # Names, for one, decide the files of a node, and nothing of what is made from them.
    if handed := getattr(spec, HANDED, None):
        described[HANDED] = key_of({**described, "spec": replace(handed.model_dump(mode="json"))})
    return described


def handed_on(described: Identity) -> str:
    """What stands for a node in the keys of those that need it: its own key, or that of what its spec hands on."""
    return str(described.get(HANDED) or key_of(described))


def key_of(described: Identity) -> str:
    """12 hex digits."""
    return digest(described)[:12]


def why_stale(old: Identity, new: Identity) -> list[str]:
    """What differs, field by field: `train.learning_rate: 0.001 -> 0.0005`, `filter has changed`."""
    if old.get("format") != new["format"] or old.get("version") != new["version"]:
        return ["distill itself has changed"]
    before, after = _fields(old), _fields(new)
    gone = "(not set)"
    reasons = [
        f"{name}: {before.get(name, gone)} -> {after.get(name, gone)}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name, gone) != after.get(name, gone)
    ]
    changed = [name for name, key in new["upstream"].items() if old["upstream"].get(name) != key]
    return reasons + [f"{name} has changed" for name in changed]


def _fields(described: Identity) -> dict[str, Any]:
    fields = {dotted(path): value for path, value in walk(described["spec"])}
    return fields | {"terms": ", ".join(term for _, term in walk(described.get("terms", {})))}


def folder(cache: Path, node: str, key: str) -> Path:
    return cache / f"{folder_name(node)}-{key}"


def work_folder(cache: Path, node: str, key: str) -> Path:
    """Where a node is while it is being made."""
    return cache / ".work" / folder(cache, node, key).name


def busy(cache: Path, node: str, key: str) -> bool:
    """Whether a process is making a node right now; never, where the file system has no locks."""
    work = work_folder(cache, node, key)
    try:
        with work.with_name(f"{work.name}.lock").open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def find(cache: Path, node: str, key: str, say: Callable[[str], None]) -> Artifact | None:
    """The finished node, or None. A damaged one is put aside under `….damaged`, said aloud, and counts as absent."""
    path = folder(cache, node, key)
    if not path.is_dir():
        return None
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        damage = next((name for name, known in manifest["files"].items() if not _intact(path / name, known)), None)
        if manifest["key"] != key:
            damage = MANIFEST
    except (OSError, ValueError, KeyError, TypeError):
        damage = MANIFEST
    if damage is None:
        return Artifact(key, path, manifest)
    aside = _put_aside(path)
    say(f"  {node}: {damage} in the cache is damaged; the entry was moved to {aside} and is made again")
    return None


def _intact(path: Path, known: Mapping[str, Any]) -> bool:
    size = path.stat().st_size
    return bool(size == known["bytes"] and (size > CHECKED_BYTES or file_hash(path) == known["sha256"]))


def _put_aside(path: Path) -> Path:
    for number in range(1, 1000):
        aside = path.with_name(f"{path.name}.damaged-{number}")
        if not aside.exists():
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                path.rename(aside)
            return aside
    raise ArtifactError("a thousand damaged copies", where=str(path), hint="delete them")


def build(
    cache: Path,
    node: str,
    described: Identity,
    make: Callable[[Path], Summary],
    ranks: Ranks,
    say: Callable[[str], None],
) -> tuple[Artifact, bool]:
    """The node's artifact, made by `make(folder)` unless it is there already.

    Of several processes that want one node the first makes it, the others wait and take it. Of the ranks of one stage
    all run `make`, and the first publishes.

    Returns:
        the artifact, and whether this call made it.

    Raises:
        ArtifactError: the disk is full. Nothing that was finished is lost.
    """
    key = key_of(described)
    work = work_folder(cache, node, key)
    with _alone(work, ranks, node, say):
        found = find(cache, node, key, say) if ranks.main else None
        if ranks.gather([found is not None])[0]:
            return found or _found(cache, node, key, say), False
        with disk(work):
            if ranks.main:
                work.mkdir(parents=True, exist_ok=True)
            ranks.barrier()
            started = time.monotonic()
            summary = make(work)
            cost = {
                "seconds": round(time.monotonic() - started, 3),
                "peak_memory_bytes": sum(ranks.gather([_peak_memory()])),
                "processes": ranks.world,
                "accelerators": sum(ranks.gather([_accelerators()])),
            }
            if ranks.main:
                _publish(work, folder(cache, node, key), node, key, described, summary, cost)
            ranks.barrier()
        return _found(cache, node, key, say), True


def _found(cache: Path, node: str, key: str, say: Callable[[str], None]) -> Artifact:
    artifact = find(cache, node, key, say)
    if artifact is None:
        raise ArtifactError("what was just written cannot be read back", where=str(folder(cache, node, key)))
    return artifact


def _publish(
    work: Path, final: Path, node: str, key: str, described: Identity, summary: Summary, cost: dict[str, Any]
) -> None:
    temporary = work / f"{MANIFEST}.new"
    temporary.unlink(missing_ok=True)  # of a publication that was killed
    files = sorted(path for path in work.rglob("*") if path.is_file() and path.name != MANIFEST)
    manifest = {
        "node": node,
        "key": key,
        "identity": described,
        "summary": summary,
        "cost": cost,
        "host": platform.node(),
        "files": {
            str(path.relative_to(work)): {"bytes": path.stat().st_size, "sha256": file_hash(path)} for path in files
        },
    }
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(sealed(manifest), file, indent=1, ensure_ascii=False, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(work / MANIFEST)
    try:
        work.rename(final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        shutil.rmtree(work)  # another machine published the same node first


@contextlib.contextmanager
def _alone(work: Path, ranks: Ranks, node: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the node's lock (first rank only). The system lets go of it when the process dies, however it dies."""
    if not ranks.main:
        yield
        return
    with disk(work):
        work.parent.mkdir(parents=True, exist_ok=True)
    with disk(work), work.with_name(f"{work.name}.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"  {node}: another process is making it; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            say(f"  {node}: this file system has no locks; two runs at once would do the work twice")
        yield


@contextlib.contextmanager
def disk(place: Path) -> Iterator[None]:
    """A full disk is an error that says which, how much is free, and that nothing finished is lost."""
    try:
        yield
    except Exception as error:
        # safetensors and others wrap the system's error in their own.
        if isinstance(error, OSError) and (error.errno in CLOSED or _no_such_place(error, place)):
            reason = f"cannot be written: {error.strerror}"
            raise ArtifactError(reason, where=str(place), hint="choose other folders: --cache, --runs") from error
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        present = next(parent for parent in (place, *place.parents) if parent.exists())
        free = shutil.disk_usage(present).free // 2**20
        # torch.save says of a full disk that a position is unexpected, in a RuntimeError.
        said = "No space left on device" in str(error) or (type(error) is RuntimeError and free < NOTHING)
        if not full and not said:
            raise
        hint = "free some space and run the same command again: what was finished and every answer so far are kept"
        raise ArtifactError(f"the disk is full ({free} MiB free)", where=str(place), hint=hint) from error


def _no_such_place(error: OSError, place: Path) -> bool:
    """A folder that the system lets nobody make, such as one in /proc."""
    return error.errno == errno.ENOENT and bool(error.filename) and str(place).startswith(str(error.filename))


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with a hash of all that it says, so that a figure in it that was changed is noticed."""
    said = json.loads(json.dumps({name: value for name, value in record.items() if name != SEAL}, allow_nan=False))
    return {**said, SEAL: digest(said)}


def intact(record: Mapping[str, Any]) -> bool:
    """Whether a record says what it said when it was sealed; one that never was is taken as it is."""
    return SEAL not in record or sealed(record)[SEAL] == record[SEAL]


def file_hash(path: Path) -> str:
    """sha256 of a file in hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _peak_memory() -> int:
    """Bytes, this process; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def _accelerators() -> int:
    """GPUs that this process computed on. Where it did not load torch it computed on none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    return sum(torch.cuda.max_memory_allocated(device) > 0 for device in range(torch.cuda.device_count()))
