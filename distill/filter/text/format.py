"""A filter that drops answers which do not have the form that their question demands: see `demands` and `shape`.

Only what a program can check is checked: JSON, words, sentences, paragraphs, list items, case, commas, first and last
words. A question without such a demand has no objection. Of a preference the chosen answer is read.
"""

from __future__ import annotations

from typing import Literal

from distill.filter.bindings import shorten
from distill.filter.text.demands import demands
from distill.filter.text.turns import Turn, TurnFilter
from distill.protocols import Verdict


class Format(TurnFilter):
    """Drops answers that break a demand of their question."""

    kind: Literal["format"] = "format"

    def objection(self, turn: Turn) -> Verdict | None:
        """Score is what was counted: words, items, commas."""
        for demand in demands(turn.asked):
            wrong = demand.check(turn.said)
            if wrong:
                said = " ".join(demand.said.split())
                return Verdict(False, demand.reason, wrong.counted, f"{said!r}: {wrong.said}: {shorten(turn.said, 80)}")
        return None
