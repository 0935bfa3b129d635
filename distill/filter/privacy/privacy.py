"""A filter that drops rows with personal data or secrets in them, or takes these out; real rows too.

The secret itself is in no verdict: evidence says what was found, where, and how long it is. Rows are redacted before they
are written, dropped ones too. What is personal is the detectors' business (see `personal`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import ClassVar, Literal, Self

from pydantic import Field

from distill.filter.bindings import Bindings, RowFilter, installed, shorten
from distill.filter.ledger import AND
from distill.filter.privacy.find import apart, find, suspicious
from distill.filter.privacy.found import KINDS, NAME, Found, Kind
from distill.filter.privacy.plain import plain
from distill.filter.privacy.redact import Redaction, said
from distill.protocols import KEEP, Verdict
from distill.rows import Row

SHOWN = 5
"""Finds named in the evidence."""


class Privacy(RowFilter):
    """Drops a row (reason: the worst kind found in it), or keeps it with a placeholder such as [EMAIL_1] for each find."""

    kind: Literal["privacy"] = "privacy"
    judges_real: ClassVar[bool] = True
    FIRST: ClassVar[bool] = True

    action: Literal["drop", "redact"] = "drop"
    kinds: tuple[Kind, ...] = Field(KINDS, min_length=1)
    """What is looked for; left out, all kinds that are sure."""
    names: bool = False
    """Whether names of people are looked for too, by presidio-analyzer and a spaCy model: they are guesses."""
    names_model: str = Field("en_core_web_sm@3.8.0", pattern=r"^\w+@[\w.]+$")
    """The spaCy model of English: its installed package and the version that it must have."""

    @property
    def versions(self) -> dict[str, str]:
        return installed("presidio-analyzer", "spacy") if self.names else {}

    def bind(self, bindings: Bindings) -> Self:
        """Raises:
        DistillError: names are asked for, and what finds them is not installed.
        """
        _ = self._find  # loaded when the run begins, not when it has waited for the first row
        return super().bind(bindings)

    @cached_property
    def _find(self) -> Callable[[str], list[Found]]:
        sure = partial(find, kinds=frozenset(self.kinds))
        if not self.names:
            return sure
        from distill.filter.privacy.names import people

        named = people(self.names_model)
        return lambda text: apart(iter([*sure(text), *named(text)]))

    def verdict(self, row: Row) -> Verdict:
        """Score of a dropped row is the number of finds."""
        whole = "\n".join(said(row))
        if not (self.names or suspicious(plain(whole))):
            return KEEP
        redaction = Redaction(self._find, whole)
        redacted = redaction.row(row)
        if not redaction.finds:
            return KEEP
        kinds = [kind for kind in (*KINDS, NAME) if redaction.kinds[kind]]
        more = len(redaction.finds) - SHOWN
        evidence = shorten("; ".join(redaction.finds[:SHOWN]), 400) + (f"; and {more} more" if more > 0 else "")
        if self.action == "drop":
            return Verdict(False, kinds[0], redaction.kinds.total(), evidence, redacted)
        return Verdict(True, AND.join(kinds), None, evidence, redacted)
