"""what was asked before -> what it cost, how much may be asked at once, and where the asking ends.

    affordable   so many questions as what is left of the budget pays for, if they cost what those before them did
    book         what an answer cost is spent

Nothing is known of a teacher that was not asked yet, and little of one that was asked seldom: at first few are asked, then
more and more. What every rank has booked alike allows every rank the same. It knows nothing of requests and engines.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from distill.endpoint import FREE, Price
from distill.engines.spent import Spent
from distill.errors import EngineError
from distill.generate.spent import Limit
from distill.protocols import Completion

FIRST = 1
"""Questions to a teacher before any of its answers has a price."""
GROWTH = 4
"""Times as many at once as were answered before: what so few have cost says no more."""


@dataclass
class Purse:
    """The money and tokens of one asking."""

    limit: Limit = Limit()
    prices: Mapping[str, Price | None] = field(default_factory=dict)
    """Of teachers behind servers, None where no price is known. All others are in this process: they cost nothing, and
    stop at once when they are told to."""
    spent: Spent = Spent()
    _by: dict[str, Spent] = field(default_factory=dict, repr=False)
    """What each teacher's answers have cost."""
    _answers: Counter[str] = field(default_factory=Counter, repr=False)

    @property
    def empty(self) -> bool:
        """The budget is spent: nothing more is asked."""
        return self.limit.reached(self.spent)

    def affordable(self, name: str) -> int:
        """How many questions a teacher may be asked at once; at least one, as long as anything is left."""
        if name not in self.prices or self.limit == Limit():
            return sys.maxsize
        answers, spent = self._answers[name], self._by.get(name, Spent())
        left = ((self.limit.tokens - self.spent.tokens, spent.tokens), (self.limit.cost - self.spent.cost, spent.cost))
        counts = [room * answers / cost for room, cost in left if cost]
        return max(1, int(min(GROWTH * answers, *counts, sys.maxsize))) if answers else FIRST

    def cost(self, name: str, completion: Completion) -> Spent:
        """What a teacher's answer cost."""
        return Spent.of(completion, self.prices.get(name))

    def book(self, name: str, completion: Completion) -> Spent:
        """Count an answer, and return what it cost.

        Raises:
            EngineError: there is a budget of money, and nobody says what the answer cost.
        """
        silent = completion.cost is None and bool(completion.prompt_tokens or completion.new_tokens)
        if self.limit.cost < math.inf and silent and self.prices.get(name, FREE) is None:
            raise EngineError(
                f"there is a budget of money, and what {name!r} charges is not known: its server does not say it with "
                "its answers, and no price is known",
                where=f"runtime.servers.{name}.price",
                hint=f"write runtime.servers.{name}.price (or runtime.server.price): {{prompt: …, completion: …}}, in money "
                "per million tokens, 0 where it costs nothing; or leave out budget.cost",
            )
        cost = self.cost(name, completion)
        self.spent += cost
        self._by[name] = self._by.get(name, Spent()) + cost
        self._answers[name] += 1
        return cost
