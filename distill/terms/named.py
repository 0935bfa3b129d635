"""what a recipe names + where its references lead -> what the student will be made from, as far as it is known.

What is not on this machine yet has no card that could be read, and is `review`. The network is never asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from distill.context import NOWHERE, Resolved
from distill.errors import SourceError
from distill.rows import Frozen, Row
from distill.sources.licences import card_bases, student_inputs
from distill.terms.input import Input, Role

Follow = Callable[[str], Resolved]
"""Reference -> what it leads to; nowhere where it leads to nothing yet."""
STAMP = re.compile(rb'"provenance": ?\{"source": ?"(teacher|real)", ?"origin": ?("(?:[^"\\]|\\.)*")')
STAMPED = re.compile(rb'"terms": ?(\[[^\]]*\])')
"""As distill writes rows; no text of a row can hold quotes that are not escaped."""
LEARNT_FROM = ("base weights", "adapter", "teacher's answers", "teacher's distributions")
"""Roles of the models that a student was made from."""


class Named(Frozen):
    """One thing that a recipe names."""

    role: Role
    ref: str
    stated: tuple[str, ...] = ()
    """What the recipe says of its licence."""
    hosts: tuple[str, ...] = ()
    """Names in the addresses of the servers that it is behind."""
    served: bool = False
    """It is behind a server, and never will be here."""
    rows: bool = False
    """Rows that distill wrote."""
    learnt: bool = True


def inputs(named: Named, follow: Follow) -> Iterator[Input]:
    """What one name stands for, and of a student all that it was made from.

    Raises:
        SourceError: what should be rows is not.
    """
    found = follow(named.ref)
    here = found.path != NOWHERE
    if named.rows and here:
        yield from of_rows(found.path)
        return
    declared, card = named.stated or found.card, found.card if named.stated else ()
    bases = card_bases(found.path) if named.role != "real data" and here else ()
    for host in named.hosts or (None,):
        yield Input(named.role, found.origin, declared, host, bases, named.served or here, card, named.learnt)
    if here:
        yield from _inherited(named, found.path)


def _inherited(named: Named, folder: Path) -> Iterator[Input]:
    """What a student that is built on, or teaches, was made from itself.

    What a base learnt from is in the next student as well. Of a teacher it is the models alone: its words are theirs too, and
    what the data that it learnt from asks is among its own terms.
    """
    for one in student_inputs(folder):
        if named.role in ("base weights", "adapter"):
            yield Input(one["role"], one["origin"], tuple(one["terms"]), learnt=named.learnt)
        elif one["role"] in LEARNT_FROM:
            yield Input(named.role, one["origin"], tuple(one["terms"]), learnt=named.learnt)


def of_rows(path: Path) -> Iterator[Input]:
    """What rows that distill wrote came from, by the stamps that they carry, a million in about three seconds.

    Raises:
        SourceError: a line that is no row.
    """
    found: dict[tuple[str, str], dict[str, None]] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            source, origin, terms = _stamp(line, f"{path}:{number}")
            found.setdefault((source, origin), {}).update(dict.fromkeys(terms))
    for (source, origin), carried in found.items():
        if source == "teacher":
            yield Input("teacher's answers", origin, tuple(carried))
        # A teacher's row has the terms of what it was made from as well, and which are which it does not say.
        yield Input("real data", origin, tuple(carried))


def _stamp(line: bytes, where: str) -> tuple[str, str, list[str]]:
    """Source, origin and terms of a row: at a glance where distill wrote it, else by reading all of it."""
    stamp = STAMP.search(line)
    if stamp is not None:
        stamped = STAMPED.search(line, stamp.end())
        return stamp[1].decode(), json.loads(stamp[2]), json.loads(stamped[1]) if stamped else []
    try:
        record = json.loads(line)
        record.pop("id", None)
        made = Row.model_validate(record).provenance
    except (ValueError, AttributeError, TypeError) as error:
        raise SourceError(f"not a row: {str(error)[:300]}", where=where) from error
    return made.source, made.origin, list(made.terms)
