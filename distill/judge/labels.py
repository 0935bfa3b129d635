"""pairs that people have labelled -> comparisons, and how far a judge agrees with those people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from distill.agreement import accuracy, agreement, kappa
from distill.errors import SourceError
from distill.judge.asking import Judged
from distill.judge.comparisons import Comparison
from distill.judge.result import Agreement, Rate
from distill.judge.settings import Labels
from distill.rows import Message, digest, root_of
from distill.sources.columns import Column
from distill.sources.records import Record, read_files

ENOUGH = 100
"""Pairs under which an agreement says little: at 70% of 100 its interval is 18 points wide."""
PAIR = "labels"
VALUE = {"a": 1.0, "b": 0.0, "tie": 0.5}


def labelled(labels: Labels, path: Path) -> tuple[list[Comparison], list[float]]:
    """The comparisons and what people said of each: 1 for a, 0 for b, one half for a tie. A pair that is there twice counts once.

    Raises:
        SourceError: a column that is not there, a preference that is none, or one pair with two preferences.
    """
    found: dict[str, tuple[Comparison, float]] = {}
    for record in read_files(path, None):
        question, a, b = (Column(getattr(labels, name)).render(record) for name in ("question", "a", "b"))
        value = _preferred(labels, record)
        root = root_of((Message(role="user", content=question or "?"),))
        one = Comparison(PAIR, PAIR, digest([question, a, b])[:16], root, "", question, a, b)
        known = found.setdefault(one.key, (one, value))
        if known[1] != value:
            raise SourceError("the same pair is there with another preference", where=record.where)
    if not found:
        raise SourceError("there is no labelled pair", where=str(path))
    return [one for one, _ in found.values()], [value for _, value in found.values()]


def _preferred(labels: Labels, record: Record) -> float:
    said = Column(labels.preferred).render(record).strip().lower()
    if said not in VALUE:
        raise SourceError(
            f"the preference is {said[:40]!r}",
            where=record.where,
            hint="evaluate.judge.labels.preferred must come to a, b or tie; Jinja can translate what your file has",
        )
    return VALUE[said]


def agreed(judged: Sequence[Judged], people: Sequence[float]) -> Agreement:
    """The judge beside people, on the pairs that it gave a verdict on."""
    read = [(place, one.outcome) for place, one in enumerate(judged) if one.outcome is not None]
    said = [outcome for _, outcome in read]
    told = [people[place] for place, _ in read]
    roots = [judged[place].of.root for place, _ in read]
    known = {"pairs": len(people), "read": len(read)}
    commonest = max(Counter(told).values()) / len(told) if told else None
    if len(set(roots)) < 2:
        why = f"the judge gave a verdict on {len(read)} of {len(people)} labelled pairs"
        return Agreement(**known, share=None, kappa=None, commonest=commonest, undefined=why)
    share = Rate.of(agreement(accuracy, told, said, roots))
    if commonest == 1:  # whatever a judge says of these, chance gives as much
        why = f"people said the same of all {len(read)} pairs, and such labels cannot test a judge"
        return Agreement(**known, share=share, kappa=None, commonest=commonest, undefined=why)
    beyond = Rate.of(agreement(kappa, told, said, roots))
    return Agreement(**known, share=share, kappa=beyond, commonest=commonest)
