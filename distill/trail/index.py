"""a folder of rows -> arrays by which a row, and what was made of it, is found among millions without reading them.

    id, root     (rows,) uint64    the 16 hex digits as a number; of another name its hash
    own          (rows,) uint64    root of what the row itself asks: a model may ask what somebody has asked before
    of, place    (rows,)           which file, and the byte at which its line begins
    line         (rows,) uint32    number of the line, from 1
    origin       (rows,) uint32    place in `origins`
    reason       (rows,) uint16    place in `reasons`; 0 of a row that was not dropped
    depth        (rows,) uint16
    order        (rows,) uint32    the rows in the order of their ids
    parent, child  (links,)        id of a parent, and the row it is a parent of; in the order of the parents
    inside       (links,) bool     whether the parent is a row of this folder too
    helper, helped (links,)        place in `origins` of a model that helped, and the row

One pass over the files makes it, about 100,000 rows a second; it is kept in `<cache>/trail/` under the name of the
artifact and a hash of its manifest, or under a hash of what the files are. Knows nothing of runs and recipes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from distill.artifacts import MANIFEST, file_hash
from distill.errors import SourceError
from distill.evidence import QUESTION
from distill.rows import Message, Row, digest, root_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.uint64]
    Mask = npt.NDArray[np.bool_]

VERSION = 3
HEX = re.compile("[0-9a-f]{16}")
DROPPED = re.compile(rb'\{"filter": "([^"\\]*)", "reason": "([^"\\]*)"')
ITEM = f'"{QUESTION}": '.encode()
"""In an item that is asked after examples: the first question is not its own."""
ID, ROW, HELPED = b'"id": "', b'"row": ', re.compile(rb'"helped": (\[[^\]]*\])')
PROVENANCE = re.compile(
    rb'"provenance": \{"source": "[a-z]+", "origin": "([^"\\]*)", "method": "[^"\\]*", "root": "([^"\\]*)"'
    rb'(?:, "parents": \[([^\]\\]*)\])?(?:, "depth": (\d+))?'
)
ASKED, SAID = b'"role": "user", "content": ', b'"content": '
TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
"""As rows are written. Quotes that are not escaped: no text of a row can hold these bytes."""
TYPES = {
    "id": "Q",
    "root": "Q",
    "own": "Q",
    "of": "H",
    "place": "Q",
    "line": "I",
    "origin": "I",
    "reason": "H",
    "depth": "H",
}
LINKS = {"parent": "Q", "child": "I", "helper": "I", "helped": "I"}


class Facts(NamedTuple):
    """What the index keeps of a line."""

    id: str
    origin: str
    root: str
    own: str
    """Root of what it asks itself."""
    parents: Sequence[str]
    depth: int
    helped: Sequence[str]
    reason: str
    """`<filter>.<reason>` of a dropped row, else empty."""


@dataclass(frozen=True)
class Index:
    folder: Path
    files: tuple[str, ...]
    origins: tuple[str, ...]
    reasons: tuple[str, ...]
    columns: dict[str, Any] = field(repr=False)

    def __len__(self) -> int:
        return len(self.columns["id"])

    def where(self, name: str) -> list[int]:
        """Rows of an id."""
        return [int(row) for row in (self.columns["id"] == number(name)).nonzero()[0]]

    def line(self, row: int) -> dict[str, Any]:
        """The record of a row, read from its file: of a dropped one with what was said of it."""
        path = self.folder / self.files[self.columns["of"][row]]
        try:
            with path.open("rb") as file:
                file.seek(int(self.columns["place"][row]))
                found = json.loads(file.readline())
        except (OSError, ValueError) as error:
            hint = "`distill verify RUN` says what changed"
            raise SourceError(f"is not as it was when it was indexed: {error}", where=str(path), hint=hint) from error
        return dict(found)

    def at(self, row: int) -> tuple[str, int]:
        """File and number of the line."""
        return self.files[self.columns["of"][row]], int(self.columns["line"][row])


def number(name: str) -> int:
    """A row's id as 64 bits."""
    if HEX.fullmatch(name):
        return int(name, 16)
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def opened(folder: Path, cache: Path) -> Index:
    """The index of a folder, or of a file of rows, made where it is not there yet."""
    import numpy as np

    kept = cache / "trail" / f"{_name(folder)}.{VERSION}.npz"
    if kept.is_file():
        with np.load(kept) as archive:
            about = json.loads(archive["about"].tobytes())
            columns = {name: archive[name] for name in archive.files if name != "about"}
        files, origins, reasons = (tuple(about[name]) for name in ("files", "origins", "reasons"))
        return Index(_home(folder), files, origins, reasons, columns)
    made = _made(folder)
    about = {"files": made.files, "origins": made.origins, "reasons": made.reasons}
    kept.parent.mkdir(parents=True, exist_ok=True)
    half = kept.with_name(f".{kept.stem}.{os.getpid()}.npz")
    np.savez(half, about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8), **made.columns)
    half.replace(kept)
    return made


def _name(folder: Path) -> str:
    """An artifact is known by its name, which holds its key, and its manifest, for the same may have been made twice; of any
    other folder the files' sizes and times of change stand for them."""
    real = folder.resolve()
    if (real / MANIFEST).is_file():
        return f"{real.name}-{file_hash(real / MANIFEST)[:12]}"
    states = [(name, (_home(real) / name).stat()) for name in _files(real)]
    return f"rows-{digest([str(real), *([name, s.st_size, s.st_mtime_ns] for name, s in states)])[:12]}"


def _home(folder: Path) -> Path:
    return folder.parent if folder.is_file() else folder


def _files(folder: Path) -> list[str]:
    """Files of rows, by their first line; a file is itself."""
    if folder.is_file():
        return [folder.name]
    found = []
    for path in sorted(folder.rglob("*.jsonl")):
        with path.open("rb") as file:
            if _fast(file.readline()) is not None:
                found.append(path.relative_to(folder).as_posix())
    return found


def _made(folder: Path) -> Index:
    import numpy as np

    columns = {name: array(kind) for name, kind in (TYPES | LINKS).items()}
    files, origins, reasons = _files(folder), dict[str, int](), {"": 0}
    for place, name in enumerate(files):
        for offset, line, facts in _lines(_home(folder) / name):
            row, root = len(columns["id"]), number(facts.root)
            values = {
                "id": number(facts.id),
                "root": root,
                "own": root if facts.own == facts.root else number(facts.own),
                "of": place,
                "place": offset,
                "line": line,
                "origin": origins.setdefault(facts.origin, len(origins)),
                "reason": reasons.setdefault(facts.reason, len(reasons)),
                "depth": facts.depth,
            }
            for column, value in values.items():
                columns[column].append(value)
            for parent in facts.parents:
                columns["parent"].append(number(parent))
                columns["child"].append(row)
            for helper in facts.helped:
                columns["helper"].append(origins.setdefault(helper, len(origins)))
                columns["helped"].append(row)
    arrays = {name: np.frombuffer(column, dtype=column.typecode) for name, column in columns.items()}
    # Sorted, so that two lists of ids are held against each other front to back, and not one by one.
    arrays["order"] = np.argsort(arrays["id"], kind="stable").astype(np.uint32)
    links = np.argsort(arrays["parent"], kind="stable")
    arrays |= {name: arrays[name][links] for name in ("parent", "child")}
    arrays["inside"] = among(arrays["parent"], arrays["id"][arrays["order"]])
    return Index(_home(folder), tuple(files), tuple(origins), tuple(reasons), arrays)


def _lines(path: Path) -> Iterator[tuple[int, int, Facts]]:
    offset = 0
    with path.open("rb") as file:
        for count, line in enumerate(file, 1):
            facts = _fast(line)
            if facts is None:
                raise SourceError("not a row", where=f"{path}:{count}", hint="`distill verify RUN` says what changed")
            yield offset, count, facts
            offset += len(line)


def _fast(line: bytes) -> Facts | None:
    """The few facts of a line, without reading its texts; None where it is no row."""
    dropped = DROPPED.match(line)
    head = line.find(ROW, dropped.end()) + len(ROW) if dropped else 0
    made = PROVENANCE.search(line)
    asked = _text(line, ASKED, head) or _text(line, SAID, head)
    if made is None or asked is None or ITEM in line or not line.startswith(ID, head + 1):
        return _slow(line)
    origin, root, parents, depth = made.groups()
    helped = HELPED.search(line, made.end())
    start = head + 1 + len(ID)
    return Facts(
        line[start : line.find(b'"', start)].decode(),
        origin.decode(),
        root.decode(),
        _root(asked[0]),
        parents.decode()[1:-1].split('", "') if parents else [],
        int(depth or 0),
        json.loads(helped[1]) if helped else [],
        b".".join(dropped.groups()).decode() if dropped else "",
    )


def _text(line: bytes, before: bytes, start: int) -> re.Match[bytes] | None:
    """The first text that follows some bytes."""
    place = line.find(before, start)
    return TEXT.match(line, place + len(before)) if place >= 0 else None


@lru_cache(maxsize=2**16)
def _root(said: bytes) -> str:
    """Root of what is said, as it stands in a line: rows of one prompt lie together."""
    return root_of([Message(role="user", content=json.loads(said))])


def _slow(line: bytes) -> Facts | None:
    """The same of a line that others wrote: the id is that of its content."""
    try:
        record = json.loads(line)
        reason = f"{record['filter']}.{record['reason']}" if "row" in record else ""
        record = record.get("row", record)
        record.pop("id", None)
        row = Row.model_validate(record)
    except (ValueError, AttributeError, KeyError, TypeError):
        return None
    made = row.provenance
    own = root_of([Message(role="user", content=row.evidence[QUESTION])] if QUESTION in row.evidence else row.messages)
    helped = made.sampling.get("helped", ())
    return Facts(row.id, made.origin, made.root, own, made.parents, made.depth, helped, reason)


def grown(index: Index, taken: Numbers, also: npt.NDArray[np.intp]) -> tuple[Mask, Numbers]:
    """Which rows of an index are among some ids (sorted), have one of them as a parent, or stand at a place in `also`;
    and those made of these, until there are no more. With their ids, sorted."""
    import numpy as np

    columns = index.columns
    order = columns["order"]
    ids = columns["id"][order]
    hit = np.zeros(len(index), dtype=bool)
    hit[order[among(ids, taken)]] = True
    hit[also] = True
    hit[columns["child"][among(columns["parent"], taken)]] = True
    inside = columns["inside"].nonzero()[0]  # a parent that is here too: few, and only they can go on
    parents, children = columns["parent"][inside], columns["child"][inside]
    new = hit
    while new.any() and len(inside):
        before = hit.copy()
        hit[children[among(parents, ids[new[order]])]] = True
        new = hit & ~before
    return hit, distinct(ids[hit[order]])


def distinct(sorted_ids: Numbers) -> Numbers:
    """Each once: several times as fast as `np.unique`, which does not know that they are sorted."""
    import numpy as np

    first = np.ones(len(sorted_ids), dtype=bool)
    first[1:] = sorted_ids[1:] != sorted_ids[:-1]
    return np.asarray(sorted_ids[first])


def among(values: Numbers, taken: Numbers) -> Mask:
    """Which of the values are among some, which are sorted."""
    import numpy as np

    if not len(taken):
        return np.zeros(len(values), dtype=bool)
    places = np.minimum(np.searchsorted(taken, values), len(taken) - 1)
    return np.asarray(taken[places] == values)
