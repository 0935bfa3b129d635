"""One licence, or one service's terms, as dated data: what it covers, what it allows, what it asks to be passed on.

Nothing here decides anything; `verdict.py` does. Facts as far as they were found, with where and how sure: no legal advice.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from distill.rows import Frozen

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.+-]*$")]
Form = Literal["adapter", "merged", "rows"]
"""What may be given away: the adapter alone, the adapter merged into its base, the training rows."""
FORMS: tuple[Form, ...] = ("adapter", "merged", "rows")


def _word(value: Any) -> Any:
    """YAML reads yes and no as true and false."""
    return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value


YesNo = Annotated[Literal["yes", "no"], BeforeValidator(_word)]
Outputs = Annotated[Literal["yes", "conditions", "own_family", "no", "silent"], BeforeValidator(_word)]


class Duty(Frozen):
    """What must be done with what is given away."""

    kind: Literal[
        "attribution", "licence_copy", "name_prefix", "non_commercial", "notice", "share_alike", "use_restrictions"
    ]
    of: tuple[Form, ...] = Field(min_length=1)
    text: str
    """What to do; of `name_prefix` the first letters of the student's name, of `notice` the words that are shown."""
    holds: Literal["weights"] | None = None
    """Only where the student holds its weights, and not where it learnt from its outputs alone."""


class Thresholds(Frozen):
    users: int | None = None
    """Users a month from which on a licence of one's own is needed."""
    revenue_usd: int | None = None
    """Revenue a year from which on a licence of one's own is needed for commercial use."""


class Source(Frozen):
    title: str
    address: str


Confidence = Literal["read", "second-hand", "recalled"]


class Disclosure(Frozen):
    """What the makers of weights say of the data that they were trained on."""

    text: str
    confidence: Confidence = "read"


class Entry(Frozen):
    """A licence of weights or data, a hosted service's terms, or a host's."""

    id: Id
    name: str
    layer: Literal["licence", "weights", "service", "host"]
    """A licence that anybody uses; one of certain weights or data; terms of who serves his own models; of who serves others'."""
    spdx: str | None = None
    aliases: tuple[Id, ...] = ()
    """Other ids of the same, as the hub writes them."""
    models: tuple[str, ...] = ()
    """Patterns of model references that it covers, `*` and `[…]` as in file names."""
    data: tuple[str, ...] = ()
    """Patterns of data sets that it covers."""
    hosts: tuple[str, ...] = ()
    """Patterns of names in a server's address."""
    licence: Id | None = None
    """Of a family: the id that its cards should declare."""
    also: tuple[Id, ...] = ()
    """Entries that apply besides."""
    outputs: Outputs
    """Whether what it writes may train another model."""
    family: tuple[Id, ...] = ()
    """Of `own_family`: ids of bases that its outputs may train."""
    derivatives: YesNo = "yes"
    """Whether what is derived from it may be given away."""
    commercial: YesNo = "yes"
    internal: YesNo = "yes"
    """Use inside a company that sells nothing of it."""
    thresholds: Thresholds = Thresholds()
    duties: tuple[Duty, ...] = ()
    unclear: str | None = None
    """What somebody must find out before anything can be said."""
    clause: str | None = None
    """Where it says so, and what."""
    quotation: str | None = Field(None, max_length=160)
    note: str | None = None
    """What a reader should know besides, and no rule reads."""
    disclosed: Disclosure | None = None
    """Of weights."""
    dated: date | None = None
    """Of the text itself."""
    checked: date | None = None
    """When it was last looked at; of an own entry that does not say so nobody knows."""
    source: Source
    confidence: Confidence


class Permission(Frozen):
    """A written permission that a user has: it takes the place of what an entry forbids."""

    permission_of: Id
    covers: tuple[str, ...] = ()
    """Patterns of references that it is given for. Of a service all that it serves when not given; a licence that anybody
    uses has as many owners as there are works under it, so that there the work must be named."""
    reference: str
    """Of the letter or contract."""
    dated: date
    holder: str | None = None
