"""rows -> how likely a small language model finds what they say: loss per token, worked out once and kept.

    perplexity   loss of an answer or a text
    difficulty   loss of an answer after its question, and of the same answer alone

Stop tokens are left out: they say how a text ends, not what it is. This module knows nothing of bounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from distill.context import Ranks
from distill.engines.batches import share
from distill.engines.journal import Journal
from distill.engines.once import FAILED, Record, once
from distill.filter.opener import Opener
from distill.protocols import Scorer, ScoreRequest
from distill.rows import Message, Row, digest, readable

VERSION = 1
LONGEST = 200_000
"""Characters of a row that are not even cut into tokens: no small model reads them."""
Turn = Literal["assistant", "text"]


class Likelihood:
    """A model by reference and what it said before. All ranks give the same rows and get all losses."""

    def __init__(self, opener: Opener, model: str) -> None:
        self._open, self._model = opener, model
        self._journals: dict[str, Journal] = {}

    def losses(self, rows: Sequence[Row], given: Literal["conversation", "nothing"]) -> list[float | str]:
        """Mean loss of a token of each row's answer, in nats, or why there is none.

        Args:
            given: whether the model reads what was said before. A text is always read alone.
        """
        requests = []
        for row in rows:
            turn: Turn = "text" if row.kind == "text" or given == "nothing" else "assistant"
            requests.append(_request(row, turn))
        found = once(self._journal("loss"), self._ranks, {one.key: one for one in requests}, self._score)
        return [found[one.key].get(FAILED) or found[one.key]["loss"] for one in requests]

    def pairs(self, rows: Sequence[Row]) -> list[tuple[float, float] | str]:
        """Mean loss of the same tokens of each answer after its question and alone, or why there are none."""
        keys = {_request(row, "assistant").key: row for row in rows}
        found = once(self._journal("pair"), self._ranks, keys, self._both)
        records = [found[_request(row, "assistant").key] for row in rows]
        return [record.get(FAILED) or (record["given"], record["alone"]) for record in records]

    def _score(self, missing: Mapping[str, ScoreRequest]) -> Iterator[Record]:
        for key, logprobs in self._logprobs(list(missing.values())):
            if isinstance(logprobs, str):
                yield {"key": key, FAILED: logprobs}
            else:
                yield {"key": key, "loss": _mean(logprobs), "tokens": len(logprobs)}

    def _both(self, missing: Mapping[str, Row]) -> Iterator[Record]:
        of = {key: (_request(row, "assistant"), _request(row, "text")) for key, row in missing.items()}
        mine = list(self._logprobs([one for both in of.values() for one in both]))
        # The two halves of a row may have been scored by two ranks.
        found = dict(self._ranks.gather(mine))
        for key in share(list(of), self._ranks.rank, self._ranks.world):
            given, alone = (found[one.key] for one in of[key])
            failed = next((one for one in (given, alone) if isinstance(one, str)), None)
            if failed or isinstance(given, str) or isinstance(alone, str):
                yield {"key": key, FAILED: failed}
                continue
            # Alone the first token often has none before it, and is not scored: the last ones are those that both have.
            count = min(len(given), len(alone))
            yield {"key": key, "given": _mean(given[-count:]), "alone": _mean(alone[-count:]), "tokens": count}

    def _logprobs(self, requests: Sequence[ScoreRequest]) -> Iterator[tuple[str, list[float] | str]]:
        """Of the tokens of each request of this rank's share but the stop token; or why there are none."""
        scored = [one for one in requests if _problem(one) is None]
        failed = [(one.key, _problem(one) or "") for one in requests if _problem(one) is not None]
        yield from share(failed, self._ranks.rank, self._ranks.world)
        for scores in self._scorer.score(scored, top_k=1):
            logprobs = [round(float(value), 5) for value in scores.logprobs[:-1]]
            yield scores.request, scores.error or logprobs or "no token that another one precedes"

    @property
    def _scorer(self) -> Scorer:
        return self._open.scorer(self._model)

    def _journal(self, what: Literal["loss", "pair"]) -> Journal:
        if what not in self._journals:
            revision = self._open.resolved(self._model).revision
            self._journals[what] = self._open.journal(digest([what, VERSION, revision, self._scorer.template])[:24])
        return self._journals[what]

    @property
    def _ranks(self) -> Ranks:
        return self._open.context.ranks


def _request(row: Row, turn: Turn) -> ScoreRequest:
    messages = [one.model_copy(update={"content": readable(one.content)}) for one in row.messages]
    said = tuple(messages[-1:] if turn == "text" else messages)
    return ScoreRequest(digest([turn, [one.model_dump() for one in said]])[:24], said, turn=turn)


def _problem(request: ScoreRequest) -> str | None:
    """Why a request is not even tried."""
    last: Message = request.messages[-1]
    if last.role != "assistant" or not last.content.strip():
        return "there is no answer"
    size = sum(len(one.content) for one in request.messages)
    return f"{size} characters" if size > LONGEST else None


def _mean(logprobs: Sequence[float]) -> float:
    return round(-math.fsum(logprobs) / len(logprobs), 5)
