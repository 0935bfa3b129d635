"""items + a scorer -> every item's measures, or the reason why it has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from distill.context import Context
from distill.errors import CompareError
from distill.evaluate import metrics
from distill.evaluate.answers import Item
from distill.evaluate.teacher import Distribution, Teacher, distribution
from distill.protocols import Scorer, ScoreRequest, TokenScores
from distill.suites.suite import Measures

NO_ANSWER = "the conversation has no answer to score"


@dataclass(frozen=True)
class Scored:
    """One item: measures, or the error that left it without any."""

    key: str
    measures: Measures = field(default_factory=dict)
    error: str | None = None
    distribution: Distribution | None = None
    """Of the teacher only."""


def score(
    items: Sequence[Item], scorer: Scorer, teacher: Teacher | None, top_k: int, keep: bool, context: Context
) -> Mapping[str, Scored]:
    """Every item by its key, on every rank; this rank scores its share.

    Args:
        teacher: whose distributions agreement and KL are taken against; None leaves both out.
        keep: this arm is the teacher: keep its own distributions and measure it against them.

    Raises:
        CompareError: the arm scored other tokens than the teacher.
    """
    known = teacher.items if teacher else {}
    requests = [
        ScoreRequest(item.key, item.row.messages, known[item.key].ids if item.key in known else None, turn=item.turn)
        for item in items
        if item.answered
    ]
    references = {item.key: item.row.answer for item in items}
    share = -(-len(requests) // context.ranks.world)
    results = context.progress(scorer.score(requests, top_k), share, "scoring", "item")
    mine = [_scored(scores, references[scores.request], known.get(scores.request), keep) for scores in results]
    found = {scored.key: scored for scored in context.ranks.gather(mine)}
    found |= {item.key: Scored(item.key, error=NO_ANSWER) for item in items if not item.answered}
    lost = [item.key for item in items if item.key not in found]
    assert not lost, f"the scorer gave no result for {lost}"
    return found


def comparable(scorer: Scorer, teacher: Teacher) -> bool:
    """Whether token ids mean the same to both.

    Raises:
        CompareError: they do, but the conversations around them are rendered differently.
    """
    if scorer.tokenizer != teacher.tokenizer:
        return False
    if scorer.template != teacher.template:
        raise CompareError(
            f"the chat template of this arm ({scorer.template}) is not the teacher's ({teacher.template})",
            hint="give both models one chat template: a difference of theirs would be measured as one of the models",
        )
    return True


def _scored(scores: TokenScores, reference: str, teacher: Distribution | None, keep: bool) -> Scored:
    if scores.error:
        return Scored(scores.request, error=scores.error)
    own = distribution(scores) if keep else None
    measures = metrics.likelihood(scores, reference)
    other = own or teacher
    if other:
        measures |= metrics.against(scores, other)
    wrong = metrics.not_finite({"loss": measures["loss"]})
    if wrong:
        return Scored(scores.request, error=wrong)
    # Of the others one that is no number is absent: the loss is good all the same.
    finite = {name: measure for name, measure in measures.items() if not metrics.not_finite({name: measure})}
    return Scored(scores.request, finite, None, own)
