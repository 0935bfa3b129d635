"""what was spent -> whether more may be; completions -> how fast they came."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from distill.engines.spent import Spent
from distill.protocols import Completion


@dataclass(frozen=True)
class Limit:
    """Where the asking ends."""

    tokens: float = math.inf
    cost: float = math.inf

    def reached(self, spent: Spent) -> bool:
        return spent.tokens >= self.tokens or spent.cost >= self.cost

    def share(self, spent: Spent, world: int) -> Limit:
        """How far one of so many ranks may go, all of which have spent so much together."""
        return Limit(spent.tokens + (self.tokens - spent.tokens) / world, spent.cost + (self.cost - spent.cost) / world)


class Speed:
    """Tokens written per second while engines are asked."""

    def __init__(self) -> None:
        self.tokens = 0
        self.seconds = 0.0
        self._since: float | None = None

    def start(self) -> None:
        self._since = time.monotonic()

    def stop(self) -> None:
        if self._since is not None:
            self.seconds += time.monotonic() - self._since
            self._since = None

    @property
    def rate(self) -> float:
        """Tokens per second; 0 before the first."""
        running = time.monotonic() - self._since if self._since is not None else 0.0
        return self.tokens / max(self.seconds + running, 1e-3)

    def add(self, completion: Completion) -> None:
        if not completion.stored:
            self.tokens += completion.new_tokens

    def __str__(self) -> str:
        return f"{self.rate:.0f} tokens/s"
