"""completions -> what they cost, in tokens and money."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from distill.context import Ranks
from distill.endpoint import Price
from distill.protocols import Completion, Engine, Request

MILLION = 1_000_000


@dataclass(frozen=True)
class Spent:
    """Tokens read and written, and money where somebody asks for it."""

    prompt_tokens: float = 0
    new_tokens: float = 0
    cost: float = 0.0

    @classmethod
    def of(cls, completion: Completion, price: Price | None) -> Spent:
        """What a completion cost: what the server says it charged, or else by its price per token."""
        cost = completion.cost
        if cost is None:
            by_prompt, by_answer = (price.prompt, price.completion) if price else (0.0, 0.0)
            cost = (completion.prompt_tokens * by_prompt + completion.new_tokens * by_answer) / MILLION
        return cls(completion.prompt_tokens, completion.new_tokens, cost)

    @property
    def tokens(self) -> float:
        return self.prompt_tokens + self.new_tokens

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.prompt_tokens + other.prompt_tokens, self.new_tokens + other.new_tokens, self.cost + other.cost
        )

    def times(self, factor: float) -> Spent:
        return Spent(self.prompt_tokens * factor, self.new_tokens * factor, self.cost * factor)

    def bill(self) -> dict[str, object]:
        """`tokens` and `money` as a stage's summary has them."""
        return {"tokens": {"prompt": self.prompt_tokens, "new": self.new_tokens}, "money": round(self.cost, 6)}


@dataclass
class Meter:
    """Counts what passes through engines, each answer once however often it is asked for.

    Args:
        prices: of engines by name, where they cost money.
    """

    prices: Mapping[str, Price | None]
    _answers: dict[tuple[str, str], Spent] = field(default_factory=dict, repr=False)

    def over(self, name: str, engine: Engine) -> Engine:
        """The same engine, metered."""
        return _Metered(engine, name, self)

    def count(self, name: str, completion: Completion) -> None:
        self._answers[name, completion.request] = Spent.of(completion, self.prices.get(name))

    def total(self, ranks: Ranks) -> Spent:
        """Of all ranks."""
        answers = dict(ranks.gather(sorted(self._answers.items(), key=lambda one: one[0])))
        return sum(answers.values(), Spent())


class _Metered:
    def __init__(self, engine: Engine, name: str, meter: Meter) -> None:
        self.name, self.template = engine.name, engine.template
        self._engine, self._meter, self._as = engine, meter, name

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        for completion in self._engine.generate(requests):
            self._meter.count(self._as, completion)
            yield completion

    def late(self) -> list[Completion]:
        return self._engine.late()

    def close(self) -> None:
        self._engine.close()
