"""rows -> who is in the batch at which step: in-flight batching, planned from lengths alone.

A row that is done leaves the batch and the next in line enters it, several at a time, since each change copies the
cache. Nothing here depends on the hour, on the machine or on what the answers say, but for their lengths. An answer that
is there already takes up its place for as many steps as it has tokens, so that the others come out as they did, or would
have, in the run that was killed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from distill.protocols import Request

PATIENCE = 8
"""The batch changes once an eighth of its rows are done or could enter."""
STRETCH = 64
"""Most steps between two changes: so many columns are set aside for new tokens."""


@dataclass(eq=False)
class Row:
    """A request on its way through the batch."""

    request: Request
    prompt: list[int]
    stops: frozenset[int] = frozenset()
    """Tokens that end the answer."""
    endings: tuple[str, ...] = ()
    """Texts that end it, where no token does."""
    known: int | None = None
    """New tokens of an answer that is there already: it is not written again, but takes up its place."""
    answer: list[int] = field(default_factory=list)
    """Token ids; of a known one as many as there would be by now, whatever they are."""
    ended: bool = False
    """It came to its end before its tokens were out."""

    @property
    def reserved(self) -> int:
        """Most tokens it can come to."""
        return len(self.prompt) + self.request.sampling.max_new_tokens

    @property
    def cached(self) -> int:
        """Tokens of it that the cache holds: all but the newest."""
        return len(self.prompt) + max(len(self.answer) - 1, 0)

    @property
    def done(self) -> bool:
        most = self.request.sampling.max_new_tokens if self.known is None else self.known
        return self.ended or len(self.answer) >= most


@dataclass(frozen=True)
class Change:
    """The next batch: rows of the present one that stay, by their places, and behind them those that enter."""

    staying: list[int]
    entering: list[Row]


class Lane:
    """The batch of one process as it goes along.

    Args:
        rows: in the order in which they enter, the longest first.
        batch_tokens: most tokens in the batch: its rows times the most that one of them can come to. A row that is
            longer is alone.
        rigid: the batch changes only when all of it is done.
    """

    def __init__(self, rows: Iterable[Row], batch_tokens: int, rigid: bool = False) -> None:
        self.batch: list[Row] = []
        self._waiting = deque(rows)
        self.rigid = rigid
        self._batch_tokens = batch_tokens
        self._steps = 0

    @property
    def over(self) -> bool:
        return not self._waiting and all(row.done for row in self.batch)

    @property
    def idle(self) -> bool:
        """Nobody in the batch needs an answer that is not there."""
        return all(row.known is not None or row.done for row in self.batch)

    def change(self) -> Change | None:
        """What becomes of the batch before the next step; None where it goes on as it is."""
        self._steps += 1
        staying = [place for place, row in enumerate(self.batch) if not row.done]
        if staying and self.rigid:
            return None
        count = self._entering([self.batch[place] for place in staying])
        moved = max(len(self.batch) - len(staying), count)
        if staying and moved * PATIENCE < len(self.batch) and self._steps <= STRETCH:
            return None
        self._steps = 0
        # Prompts of like length are read together.
        entering = sorted((self._waiting.popleft() for _ in range(count)), key=lambda row: -len(row.prompt))
        self.batch = [self.batch[place] for place in staying] + entering
        return Change(staying, entering)

    def _entering(self, staying: list[Row]) -> int:
        """How many of those in line there is room for. An empty batch has room for one, whatever its length."""
        longest = max((row.reserved for row in staying), default=0)
        for count, row in enumerate(self._waiting):
            longest, rows = max(longest, row.reserved), len(staying) + count + 1
            if rows > 1 and rows * longest > self._batch_tokens:
                return count
        return len(self._waiting)
