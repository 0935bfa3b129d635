"""What went into a student, and what is found of it: the values that the judgement is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Use = Literal["research", "internal", "commercial", "redistribute"]
USES: tuple[Use, ...] = ("research", "internal", "commercial", "redistribute")
Level = Literal["ok", "review", "blocked"]
Role = Literal["base weights", "adapter", "teacher's answers", "teacher's distributions", "real data"]
ORDER: tuple[Level, ...] = ("ok", "review", "blocked")
OUTPUTS: tuple[Role, ...] = ("teacher's answers", "teacher's distributions")
"""Roles of a model whose outputs the student learns from."""
IN_ROWS: tuple[Role, ...] = ("teacher's answers", "real data")
"""Roles of which something stands in the training rows."""
HOST = "host:"
"""Begins the term that stands for who served a model: what his terms are is looked up when they are judged."""
NAMELESS = "unknown"
"""Stamp of what says nothing of its terms: accepted by its reference alone, for it is another thing each time."""
UNSEEN = "its card is not on this machine yet: distill fetch"


@dataclass(frozen=True)
class Input:
    """One thing that a student was made from."""

    role: Role
    origin: str
    """Reference, with its revision where it is known."""
    declared: tuple[str, ...] = ()
    """Licence ids that it carries."""
    host: str | None = None
    """Name in the address of the server that answered."""
    made_from: tuple[str, ...] = ()
    """Models that its card names as its base: several of a merged one."""
    seen: bool = True
    """Whether what it is called stands for is on this machine, its card too; or is served, and never will be."""
    card: tuple[str, ...] = ()
    """Licence ids that its own card or package declares, where the recipe states others."""
    learnt: bool = True
    """Whether the student learnt from it; what it is measured with alone is among the rows that may be published."""

    @property
    def name(self) -> str:
        """Reference without its revision, and without the adapter that a teacher wears."""
        return self.origin.split("+")[0].partition("@")[0]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Who served it: by the address that it is asked at, and by what its rows carry."""
        carried = (term.removeprefix(HOST) for term in self.declared if term.startswith(HOST))
        return tuple(dict.fromkeys((*([self.host] if self.host else []), *carried)))

    @property
    def licences(self) -> tuple[str, ...]:
        """What it declares besides who served it."""
        return tuple(term for term in self.declared if not term.startswith(HOST))


@dataclass(frozen=True)
class Finding:
    """What is made of one input by one entry, or of the lack of one."""

    level: Level
    why: str
    entry: str | None = None
    """Id."""
    accepted: str | None = None
    """Reason for which the user accepts what was to be reviewed."""
    identity: bool = False
    """It is not sure what this is: only a look at it can settle that, not at the entry that it may be of."""
