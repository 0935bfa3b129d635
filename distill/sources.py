"""References to models and data, followed without guessing: where it lies on this machine and exactly what it is.

    package:NAME/PATH     a file or folder inside an installed package
    ./x  ../x  /x  ~/x    a file or folder (relative to the recipe); a bare name that exists there too
    run:NAME/NODE[@STEP]  what another run made; @STEP is a checkpoint of a train node
    rows:FOLDER           a folder of rows that distill wrote (rows.jsonl, kept.jsonl or train.jsonl)
    org/name[@REVISION]   a hub id

Nothing here opens a model. Only `fetch` uses the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from distill.context import Resolved
from distill.rows import Frozen, Row


class Real(Frozen):
    """A data set made by people, and how its records become rows.

    A template is either a column's name or Jinja over the record's columns (`"{{ title }}: {{ text }}"`).
    Exactly one shape is given: `prompt` (with `answer` and `system` where there are any), `messages`, or `items` with `turns`.
    """

    data: str
    """Reference: hub id, folder, file (JSONL, JSON, CSV, Parquet, YAML), `package:`, `run:` or `rows:`."""
    config: str | None = None
    """Configuration of a hub data set."""
    split: str = "train"
    """Split of a hub data set."""
    prompt: str | None = None
    answer: str | None = None
    system: str | None = None
    messages: str | None = None
    """Column that holds a list of `{role, content}`."""
    items: str | None = None
    """Key under which a file holds its records as a list."""
    turns: Literal["alternate"] | None = None
    """The record is a list of turns, user first."""
    limit: int | None = None
    """First so many records only."""
    terms: tuple[str, ...] = ()
    """Licence ids, where the data does not carry its own or it must be corrected."""


def resolve(ref: str, what: Literal["model", "data"], base: Path, runs: Path, cache: Path) -> Resolved:
    """Follow a reference, offline.

    Args:
        ref: see the module's table.
        base: folder that relative paths start from (the recipe's).
        runs: folder of run folders, for `run:`.
        cache: hashes of large files are remembered under it by path, size and time of change.

    Raises:
        NotFetchedError: a hub id that is not in the local hub cache.
        SourceError: it leads nowhere; the message names what is there instead.
    """
    raise NotImplementedError


def fetch(ref: str, what: Literal["model", "data"]) -> str:
    """Bring a hub id into the local hub cache, over the network, and return the commit. Other references return at once."""
    raise NotImplementedError


def read_real(name: str, spec: Real, source: Resolved) -> Iterator[Row]:
    """The rows of a real data set in the order of its files and records.

    Raises:
        SourceError: unreadable or empty file, or a column that does not exist (with the nearest that does), with file and record.
        TemplateError: a template with an unknown field.
    """
    raise NotImplementedError
