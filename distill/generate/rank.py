"""rank: several answers to a prompt, of which a better and a worse one make a pair.

What is better is said by a model that judges, by a model's own probabilities, or by people, whose answers and scores are in
the data; then nobody is asked anything, and the pair is as real as its two answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from distill.errors import SourceError
from distill.generate.author import Unusable, opened
from distill.generate.draws import grouped
from distill.generate.method import Candidate, MethodSpec, Work
from distill.generate.rankers import Judge, Likelihood
from distill.protocols import Completion, Request
from distill.rows import Message, Provenance, Row, digest
from distill.sources.real import PEOPLE

Answered = dict[str, tuple[Request, Completion]]
"""Different answers with what they came from."""


class Rank(MethodSpec):
    kind: Literal["rank"] = "rank"
    prompts: str
    """Name under `real` whose training prompts are asked; where people decide, its rows are the answers."""
    by: Judge | Likelihood | Literal["people"]
    """Who ranks: `{judge: NAME}`, `{logprob: NAME}` with a name of a model, or `people`, by the `score` of the data."""
    answers: int = Field(4, ge=2, le=16)
    """Answers asked to one prompt; where people decide, as many as there are."""
    margin: float = Field(0.0, ge=0)
    """Least difference between the scores of a pair; equal scores are never one. In points of 10 for a judge who marks
    answers alone, in shares of 1 for one who compares, in nats for `logprob`."""
    rejected: Literal["worst", "random"] = "worst"
    """Which answer is set against the best: the worst, or any that is worse by the margin."""
    system: str | None = None
    """System message put before each prompt that has none."""

    FILES: ClassVar = ("alone", "pair", "repair")
    SCORES: ClassVar = ("chosen", "rejected", "margin")
    MAKES: ClassVar = "preference"

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.prompts,)

    @property
    def asks(self) -> tuple[str, ...]:
        return (self.by.model,) if not isinstance(self.by, str) else ()

    @property
    def scored_by(self) -> tuple[str, ...]:
        return (self.by.logprob,) if isinstance(self.by, Likelihood) else ()

    @property
    def several(self) -> int:
        return 1 if self.by == "people" else self.answers

    def candidates(self, work: Work) -> Iterator[Candidate]:
        """Every distinct prompt once.

        Raises:
            SourceError: people decide, and have not scored anything.
        """
        groups = grouped(work.rows[self.prompts], work.author.seed)
        if self.by == "people" and groups and not any(PEOPLE in row.scores for rows in groups for row in rows):
            raise SourceError(
                f"no row of {self.prompts!r} has a score",
                where=f"generate.methods ({self.name})",
                hint=f"say where the data has it: real: {{{self.prompts}: {{score: COLUMN}}}}",
            )
        for rows in groups:
            yield self.judged(rows, work) if self.by == "people" else self.candidate(rows[0], work)

    def candidate(self, parent: Row, work: Work) -> Candidate:
        """Answers, and their ranking by a model."""
        assert not isinstance(self.by, str)
        prompt = opened(self.system, parent.prompt)
        requests = tuple(work.author.ask(prompt, sample) for sample in range(self.answers))
        completions: list[Completion] = yield requests
        answered = different(requests, completions)
        texts = list(answered)
        scores = yield from self.by.scores(prompt, texts, work, self.prompt)
        best, other = self.pair(scores, digest([work.author.seed, parent.provenance.root]))
        (request, completion), (_, worse) = answered[texts[best]], answered[texts[other]]
        return work.author.row(
            request,
            completion,
            work.stream,
            [parent],
            kind="preference",
            rejected=[Message(role="assistant", content=worse.text, reasoning=worse.reasoning)],
            scores=named(scores, best, other),
            helped=[work.cast[self.by.model]],
            ranked_by=self.by.model_dump(),
            rejected_sample=answered[texts[other]][0].sample,
        )

    def judged(self, rows: Sequence[Row], work: Work) -> Candidate:
        """A pair of answers that people scored: no model has a part in it."""
        yield ()
        scores = [row.scores.get(PEOPLE) for row in rows]
        best, other = self.pair(scores, digest([work.author.seed, rows[0].provenance.root]))
        chosen, rejected = rows[best], rows[other]
        of = [chosen.provenance, rejected.provenance]
        provenance = Provenance(
            source="real" if all(one.source == "real" for one in of) else "teacher",
            origin=chosen.provenance.origin,
            method=work.stream,
            root=chosen.provenance.root,
            parents=(chosen.id, rejected.id),
            depth=max(one.depth for one in of),
            terms=tuple(dict.fromkeys(term for one in of for term in one.terms)),
            sampling={"ranked_by": "people"},
        )
        return Row(
            kind="preference",
            messages=(*opened(self.system, chosen.prompt), chosen.messages[-1]),
            rejected=rejected.messages[-1:],
            provenance=provenance,
            scores=named(scores, best, other),
        )

    def pair(self, scores: Sequence[float | None], drawn: str) -> tuple[int, int]:
        """Places of the best answer and of the one set against it; of equals the first.

        Args:
            drawn: hexadecimal digits that decide where any will do.

        Raises:
            Unusable: `not_judged` or `tie`.
        """
        there = {place: score for place, score in enumerate(scores) if score is not None}
        if len(there) < 2:
            raise Unusable("not_judged", f"{len(there)} of {len(scores)} answers have a score")
        best = max(there, key=lambda place: (there[place], -place))
        worse = [place for place, score in there.items() if 0 < there[best] - score >= self.margin]
        if not worse:
            raise Unusable("tie", ", ".join(f"{score:g}" for score in there.values()))
        worst = min(worse, key=lambda place: (there[place], place))
        return best, worst if self.rejected == "worst" else worse[int(drawn[:15], 16) % len(worse)]


def different(requests: Sequence[Request], completions: Sequence[Completion]) -> Answered:
    """The answers that came to an end, each text once.

    Raises:
        Unusable: `engine_error`, `too_few_answers` or `same_answers`: there are no two.
    """
    if all(completion.finish == "error" for completion in completions):
        raise Unusable("engine_error", completions[0].error or "")
    pairs = list(zip(requests, completions, strict=True))
    ended = [(one, other) for one, other in pairs if other.finish == "stop" and other.text.strip()]
    answered = {completion.text: (request, completion) for request, completion in reversed(ended)}
    if len(ended) < 2:
        raise Unusable("too_few_answers", f"{len(ended)} of {len(pairs)} came to an end")
    if len(answered) < 2:
        raise Unusable("same_answers", ended[0][1].text)
    return dict(reversed(answered.items()))


def named(scores: Sequence[float | None], best: int, other: int) -> dict[str, float]:
    """The scores of a pair as its row has them."""
    chosen, rejected = scores[best], scores[other]
    assert chosen is not None and rejected is not None
    return {"chosen": round(chosen, 6), "rejected": round(rejected, 6), "margin": round(chosen - rejected, 6)}
