"""rows of other runs -> those that a student learns too: so many of each, and a reason for every one that is left out.

left out    withdrawn     its root or id is in `split.without`
            held_out      its prompt, or what it descends from, is measured on
            preference,…  its kind, where it is neither a conversation nor a text

Their own run's filters judged them; those of this recipe do not judge them again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from distill.context import Context
from distill.errors import DistillError
from distill.rows import Frozen, Row, digest, read_rows
from distill.suites.kinds import by_name

TAUGHT = ("chat", "text")
"""Kinds of rows in train.jsonl."""


class Earlier(Frozen):
    rows_of: str
    """Reference to rows of another run: `run:NAME/mix`, `run:NAME/filter`, `rows:FOLDER`."""
    rows: int | None = Field(None, gt=0)
    """Exactly so many of them, drawn by the seed. When not given all of them, or as many as fall to them of `mix.rows`."""


def _named(value: Any) -> Any:
    """A reference alone is all of its rows."""
    return {"rows_of": value} if isinstance(value, str) else value


Earliers = Annotated[
    tuple[Annotated[Earlier, BeforeValidator(_named)], ...],
    Field(json_schema_extra=by_name),
]


@dataclass(frozen=True)
class Found:
    """What there is of earlier runs; no row is in it twice."""

    fixed: Sequence[Row]
    """Drawn from references with a number: they are learnt whatever else is."""
    free: Sequence[Row]
    """Of the other references."""
    left_out: Counter[str]
    """By reason."""
    doubled: int
    """Rows that were to be learnt and are there already, as another reference's."""


def find(
    named: Sequence[Earlier], seed: int, max_depth: int | None, refused: Callable[[Row], str | None], context: Context
) -> Found:
    """Rows of earlier runs, those of the first reference first.

    Args:
        max_depth: most generations of models between people's text and a row.
        refused: why a row may not be learnt, if it may not.

    Raises:
        DistillError: one is deeper, or a reference has fewer rows than are asked of it.
    """
    fixed: dict[str, Row] = {}
    free: dict[str, Row] = {}
    left_out: Counter[str] = Counter()
    doubled = 0
    for one in sorted(named, key=lambda one: one.rows is None):  # what must be there is drawn first
        usable = list(_usable(one.rows_of, max_depth, refused, left_out, context))
        new = {row.id: row for row in usable if row.id not in fixed and row.id not in free}
        if one.rows is None:
            doubled += len(usable) - len(new)
            free |= new
            continue
        if len(usable) < one.rows:
            raise DistillError(
                f"{one.rows} rows are asked of it, and {len(usable)} are there to be learnt",
                where=f"mix.earlier, {one.rows_of}",
                hint="ask for fewer, or for more generate.rows in that run",
            )
        drawn = shuffled(list(new.values()), seed, "draw")[: one.rows]
        doubled += one.rows - len(drawn)
        fixed |= {row.id: row for row in drawn}
    return Found(list(fixed.values()), list(free.values()), left_out, doubled)


def _usable(
    ref: str,
    max_depth: int | None,
    refused: Callable[[Row], str | None],
    left_out: Counter[str],
    context: Context,
) -> Iterator[Row]:
    """Rows of a reference that may be learnt; the others are counted."""
    for row in read_rows(context.resolved[ref].path):
        if reason := row.kind if row.kind not in TAUGHT else refused(row):
            left_out[reason] += 1
            continue
        if max_depth is not None and row.provenance.depth > max_depth:
            raise DistillError(
                f"row {row.id} is {row.provenance.depth} generations of models away from people's text, and split.max_depth "
                f"is {max_depth}",
                where=ref,
                hint="take rows of an earlier generation, or raise split.max_depth",
            )
        yield row


def refusal(withdrawn: Collection[str], held_out: Collection[str]) -> Callable[[Row], str | None]:
    """Why an earlier row may not be learnt.

    Args:
        withdrawn: roots and ids of rows.
        held_out: roots of what is measured on.
    """

    def reason(row: Row) -> str | None:
        if row.provenance.root in withdrawn or row.id in withdrawn:
            return "withdrawn"
        return "held_out" if any(root in held_out for root in row.roots) else None

    return reason


def shuffled(rows: Sequence[Row], seed: int, purpose: str) -> list[Row]:
    """The rows in an order that depends on seed and content alone, not on the order they came in or on their number."""
    return sorted(rows, key=lambda row: digest([seed, purpose, row.id]))
