"""registry/*.yaml and a user's own folder -> entries by id, and those that cover a model, a data set or a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Literal

import yaml
from pydantic import ValidationError

from distill.errors import TermsError
from distill.terms.entry import Entry, Permission
from distill.terms.input import HOST

What = Literal["model", "data"]
CHECKED = date(2026, 11, 22)
"""When the shipped entries were last looked at that do not say it themselves."""


@dataclass(frozen=True)
class Registry:
    entries: Mapping[str, Entry]
    """By id."""
    permissions: Sequence[Permission] = ()
    own: frozenset[str] = frozenset()
    """Ids of entries that the user wrote."""

    def find(self, term: str) -> Entry | None:
        """The entry of an id, of one of its other ids, or of its SPDX id."""
        return self._by_term.get(term.lower())

    def of(self, term: str) -> list[Entry]:
        """The entries that a stamp stands for: a licence's or, of `host:NAME`, those of who serves there."""
        if term.startswith(HOST):
            return self.serving(term.removeprefix(HOST))
        return [entry] if (entry := self.find(term)) else []

    @cached_property
    def _by_term(self) -> Mapping[str, Entry]:
        return {name: entry for entry in self.entries.values() for name in _names(entry)}

    def covering(self, name: str, what: What) -> list[Entry]:
        """Entries whose patterns cover a reference, without its revision; those of the longest pattern."""
        found: dict[str, int] = {}
        # Of a path on this machine only the file says what it is, and not whose folder it lies in.
        name = (Path(name).name if name.startswith(("/", ".", "~")) else name).lower()
        for entry in self.entries.values():
            patterns = entry.models if what == "model" else entry.data
            sizes = [len(pattern) for pattern in patterns if fnmatchcase(name, pattern.lower())]
            if sizes:
                found[entry.id] = max(sizes)
        longest = max(found.values(), default=0)
        return [self.entries[one] for one, size in found.items() if size == longest]

    def serving(self, host: str) -> list[Entry]:
        """Entries of who serves at a host."""
        name = host.lower()
        return [entry for entry in self.entries.values() if any(fnmatchcase(name, pattern) for pattern in entry.hosts)]


def _names(entry: Entry) -> Iterator[str]:
    yield entry.id
    yield from entry.aliases
    if entry.spdx:
        yield entry.spdx.lower()


@cache
def shipped() -> Registry:
    """The registry of this version."""
    entries: dict[str, Entry] = {}
    for path in sorted(Path(str(files("distill.terms"))).glob("registry/*.yaml")):
        found, _ = _read(path, CHECKED)
        for entry in found:
            if entry.id in entries:
                raise TermsError(f"{entry.id} is there twice", where=str(path))
            entries[entry.id] = entry
    _check(entries, "registry")
    return Registry(entries)


def with_own(folder: Path | None) -> Registry:
    """The shipped registry with a user's entries, which take the place of those of the same id, and permissions.

    Raises:
        TermsError: a file that cannot be read, with its line or field.
    """
    known = shipped()
    if folder is None:
        return known
    paths = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    if not paths:
        raise TermsError("no YAML file there", where=str(folder), hint="see `terms.registry` in docs/terms.md")
    entries = dict(known.entries)
    permissions: list[Permission] = []
    own: set[str] = set()
    for path in paths:
        found, granted = _read(path)
        for entry in found:
            if entry.id in own:
                raise TermsError(f"{entry.id} is there twice", where=str(path))
            entries[entry.id] = entry
            own.add(entry.id)
        permissions += granted
    _check(entries, str(folder))
    for one in permissions:
        if one.permission_of not in entries:
            raise TermsError(f"a permission of {one.permission_of!r}, which is no entry", where=str(folder))
        if entries[one.permission_of].layer == "licence" and not one.covers:
            hint = "covers: [REFERENCE]: each work under it has an owner of its own"
            message = f"the permission of {one.permission_of} does not say of which work"
            raise TermsError(message, where=str(folder), hint=hint)
    return Registry(entries, tuple(permissions), frozenset(own))


def _read(path: Path, checked: date | None = None) -> tuple[list[Entry], list[Permission]]:
    try:
        records = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise TermsError(f"cannot be read: {error}", where=str(path)) from error
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise TermsError(
            "is no list of entries", where=str(path), hint="each begins with `- id:` or `- permission_of:`"
        )
    entries: list[Entry] = []
    permissions: list[Permission] = []
    for number, record in enumerate(records, 1):
        try:
            if "permission_of" in record:
                permissions.append(Permission.model_validate(record))
            else:
                entries.append(Entry.model_validate({"checked": checked, **record}))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            name = record.get("id", f"entry {number}")
            raise TermsError(
                f"{name}: {place}: {first['msg']} (found {first['input']!r:.60})", where=str(path)
            ) from error
    return entries, permissions


def _check(entries: Mapping[str, Entry], where: str) -> None:
    """Ids that entries name must be there, and no two entries may have one name."""
    whose: dict[str, str] = {}
    for entry in entries.values():
        for name in _names(entry):
            if whose.setdefault(name, entry.id) != entry.id:
                raise TermsError(f"{name!r} is a name of {whose[name]} and of {entry.id}", where=where)
    for entry in entries.values():
        for name in (*entry.also, *entry.family, *([entry.licence] if entry.licence else [])):
            if name not in whose:
                raise TermsError(f"{entry.id} names {name!r}, which is no entry", where=where)
