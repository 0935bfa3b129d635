"""folder of a filter stage -> the rows that its page shows: all of them, or of every reason alike as many as fit.

What is chosen is decided by the ids: the same rows on every machine, and of a reason that dropped few none is missing.
One line is held at a time, and a few numbers of the rows that may be chosen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILES = ("kept", "real", "dropped")
MOST = 5000
"""Rows on a page, beside those that duplicates are duplicates of."""
CUT = 3000
"""Most characters of one text on the page."""
Place = tuple[str, str, int]
"""Id, file and byte of a row."""


@dataclass
class Chosen:
    rows: list[dict[str, Any]]
    """As the page reads them, in the order of the files."""
    total: int
    """Rows that there are."""


@dataclass
class _Group:
    """The rows with the lowest ids among many."""

    size: int = 0
    lowest: list[Place] = field(default_factory=list)

    def add(self, place: Place) -> None:
        self.size += 1
        self.lowest.append(place)
        if len(self.lowest) > 2 * MOST:
            self.lowest = sorted(self.lowest)[:MOST]


def choose(folder: Path) -> Chosen:
    """Rows of the folder's files; of more than a page holds a sample, told by `total`."""
    groups: dict[str, _Group] = {}
    for name, offset, record in _lines(folder):
        row = record.get("row", record)
        why = f"{record['filter']}.{record['reason']}" if "row" in record else name
        groups.setdefault(why, _Group()).add((row["id"], name, offset))
    level = fair({why: group.size for why, group in groups.items()}, MOST)
    places = {place[1:] for group in groups.values() for place in sorted(group.lowest)[:level]}
    rows = [_shown(name, record) for name, offset, record in _lines(folder) if (name, offset) in places]
    rows += _keepers(folder, rows, places)
    return Chosen(rows, sum(group.size for group in groups.values()))


def fair(sizes: Mapping[str, int], most: int) -> int:
    """The most that each may have so that all together have no more than `most`; small ones leave room to large ones."""
    left, level = most, 0
    for taken, size in enumerate(sorted(sizes.values())):
        level = left // (len(sizes) - taken)
        if size > level:
            return level
        left -= size
    return max(sizes.values(), default=0)


def _lines(folder: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """File, byte and record of every line."""
    for name in FILES:
        path = folder / f"{name}.jsonl"
        if not path.is_file():
            continue
        with path.open("rb") as file:
            offset = 0
            for line in file:
                yield name, offset, json.loads(line)
                offset += len(line)


def _keepers(folder: Path, rows: Iterable[dict[str, Any]], places: set[tuple[str, int]]) -> list[dict[str, Any]]:
    """Rows that those chosen are duplicates of and that were not chosen themselves. A copy has the id of what it copies:
    what was kept is wanted then."""
    dropped = {row["id"] for row in rows if not row["kept"]}
    wanted = {row["like"] for row in rows if row["like"]} - {row["id"] for row in rows if row["kept"]}
    found: dict[str, dict[str, Any]] = {}
    if wanted:
        for name, offset, record in _lines(folder):
            row = record.get("row", record)
            known = (name, offset) in places or (name == "dropped" and row["id"] in dropped)
            if row["id"] in wanted and not known:
                found.setdefault(row["id"], _shown(name, record))
    return list(found.values())


def _shown(name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says of a row."""
    row = record.get("row", record)
    made, evidence = row["provenance"], record.get("evidence") if "row" in record else None
    said = [("text" if row["kind"] == "text" else one["role"], one["content"]) for one in row["messages"]]
    said += [("rejected", one["content"]) for one in row.get("rejected", ())]
    said += list(row.get("evidence", {}).items())
    return {
        "id": row["id"],
        "kept": name != "dropped",
        "why": f"{record['filter']}.{record['reason']}" if name == "dropped" else "",
        "evidence": _cut(evidence or ""),
        "like": _id(evidence or ""),
        "score": record.get("score") if name == "dropped" else None,
        "also": record.get("also", []) if name == "dropped" else [],
        "scores": row.get("scores", {}),
        "method": made["method"],
        "origin": made["origin"],
        "said": [[who, _cut(text)] for who, text in said],
    }


def _id(evidence: str) -> str:
    """The row that evidence begins with, empty where it names none."""
    name = evidence.partition(":")[0]
    return name if len(name) == 16 and set(name) <= set("0123456789abcdef") else ""


def _cut(text: str) -> str:
    return text if len(text) <= CUT else f"{text[:CUT]} … ({len(text) - CUT:,} more characters)"
