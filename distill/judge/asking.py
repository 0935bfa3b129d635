"""comparisons + an engine -> what the judge said of each, in both orders.

What cannot be read is a failure with its text. Two texts that are the same are a tie that nobody is asked about, but for the
control that is about just that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from distill import templates
from distill.context import Context
from distill.forms import Malformed
from distill.judge.comparisons import SAME, Comparison
from distill.judge.reading import SCHEMA, choice
from distill.judge.settings import Judge
from distill.protocols import Completion, Engine, Request, Sampling
from distill.rows import Message, readable

LONGEST = 200_000
"""Characters of a pair that are not even sent: no model reads them."""
Order = Literal["ab", "ba"]
Winner = Literal["a", "b", "tie"]
READ: dict[Order, dict[str, Winner]] = {
    "ab": {"first": "a", "second": "b", "tie": "tie"},
    "ba": {"first": "b", "second": "a", "tie": "tie"},
}


@dataclass(frozen=True)
class Said:
    """What the judge said of one comparison in one order."""

    order: Order
    """Which answer was shown first."""
    verdict: Winner | None
    """None: it cannot be read, and `error` says why."""
    text: str = ""
    error: str | None = None


@dataclass(frozen=True)
class Judged:
    """A comparison with what came of it."""

    of: Comparison
    said: tuple[Said, ...] = ()
    """In the order asked; empty where it was not asked."""
    error: str | None = None
    """Why it was not asked."""

    @property
    def same(self) -> bool:
        """Not asked: there is nothing to tell apart."""
        return not self.said and self.error is None

    @property
    def failed(self) -> bool:
        return self.error is not None or any(one.verdict is None for one in self.said)

    @property
    def consistent(self) -> bool | None:
        """Whether both orders say the same; None where they were not both read."""
        if len(self.said) < 2 or self.failed:
            return None
        return self.said[0].verdict == self.said[1].verdict

    @property
    def outcome(self) -> float | None:
        """What a has won: 1 or 0 where both orders say so, else one half; None where it failed."""
        if self.failed:
            return None
        verdicts = {one.verdict for one in self.said}
        return {"a": 1.0, "b": 0.0}.get(verdicts.pop() or "", 0.5) if len(verdicts) == 1 else 0.5

    @property
    def places(self) -> list[float]:
        """What was won by the answer shown first, of each order that was read."""
        return [
            0.5 if one.verdict == "tie" else float((one.verdict == "a") == (one.order == "ab"))
            for one in self.said
            if one.verdict is not None
        ]


def ask(judge: Judge, comparisons: Sequence[Comparison], engine: Engine, context: Context) -> list[Judged]:
    """Every comparison judged, in their order, on every rank; this rank asks its share."""
    wanted = {one.key: requests(judge, one) for one in comparisons}
    distinct = list({request.key: request for own in wanted.values() for _, request in own}.values())
    share = -(-len(distinct) // context.ranks.world)
    mine = list(context.progress(engine.generate(distinct), share, "judging", "pair")) if distinct else []
    found = {completion.request: completion for completion in context.ranks.gather(mine)}
    return [_judged(one, wanted[one.key], found) for one in comparisons]


def requests(judge: Judge, one: Comparison) -> list[tuple[Order, Request]]:
    """What the judge is asked of a comparison; nothing where that is of no use."""
    if _unfit(one) or (one.a == one.b and one.pair != SAME):
        return []
    orders: tuple[Order, ...] = ("ab",) if one.pair == SAME else ("ab", "ba")
    return [(order, _request(judge, one, order)) for order in orders]


def _request(judge: Judge, one: Comparison, order: Order) -> Request:
    first, second = (one.a, one.b) if order == "ab" else (one.b, one.a)
    where = "evaluate.judge.template" if judge.template else "prompt file pairwise/verdict"
    said = templates.turns(judge.text, where, before=one.before, question=one.question, first=first, second=second)
    messages = tuple(Message.model_validate({"role": role, "content": readable(text)}) for role, text in said)
    sampling = Sampling(temperature=0, max_new_tokens=judge.max_new_tokens)
    return Request(messages, sampling, schema=SCHEMA, to=judge.by)


def _unfit(one: Comparison) -> str | None:
    size = sum(map(len, (one.before, one.question, one.a, one.b)))
    return f"{size} characters are more than a judge reads" if size > LONGEST else None


def _judged(one: Comparison, asked: Sequence[tuple[Order, Request]], found: dict[str, Completion]) -> Judged:
    if not asked:
        return Judged(one, error=_unfit(one))
    return Judged(one, tuple(_said(order, found.get(request.key)) for order, request in asked))


def _said(order: Order, completion: Completion | None) -> Said:
    if completion is None:
        return Said(order, None, error="never answered")
    if completion.finish == "error":
        return Said(order, None, error=completion.error or "the engine gave no reason")
    try:
        return Said(order, READ[order][choice(completion.text)], completion.text)
    except Malformed as malformed:
        cut = " (cut at max_new_tokens)" if completion.finish == "length" else ""
        return Said(order, None, completion.text, f"{malformed}{cut}")


def lines(judged: Sequence[Judged]) -> Iterator[dict[str, object]]:
    """verdicts.jsonl: a line for every order that was asked, one for what was not asked."""
    for one in judged:
        about = {
            "pair": one.of.pair, "suite": one.of.suite, "item": one.of.item, "root": one.of.root,
            "characters": [len(one.of.a), len(one.of.b)],
        }  # fmt: skip
        for said in one.said:
            yield {**about, "order": said.order, "verdict": said.verdict, "text": said.text, "error": said.error}
        if not one.said:
            yield {**about, "order": None, "verdict": None if one.error else "tie", "text": "", "error": one.error}
