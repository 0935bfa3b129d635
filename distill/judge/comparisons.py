"""items.jsonl of the arms + the suites' rows -> pairs of answers to be judged, the controls among them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.errors import DistillError
from distill.judge.settings import CONTROLS, Judge
from distill.rows import Row, digest
from distill.suites.suite import Suite

CONSTANT = "Thank you for your question. I am glad to help, and I wish you a pleasant day."
"""Polite, and an answer to nothing."""
SAME, SHUFFLED, FIXED = "same", "shuffled", "constant"
Answers = Mapping[tuple[str, str], str]
"""Of an arm, by suite and item."""


@dataclass(frozen=True)
class Comparison:
    """Two answers to one item."""

    pair: str
    """`student/base`, the name of a control, or `labels`."""
    suite: str
    item: str
    root: str
    """What comparisons share that are not independent: a prompt, a passage."""
    before: str
    """The conversation before the question."""
    question: str
    a: str
    b: str

    @property
    def key(self) -> str:
        return f"{self.pair}/{self.suite}/{self.item}"


@dataclass(frozen=True)
class Paired:
    """All comparisons of two arms."""

    a: str
    b: str
    comparisons: tuple[Comparison, ...]
    unanswered: int
    """Items that one of the two did not answer."""

    @property
    def name(self) -> str:
        return f"{self.a}/{self.b}"


@dataclass(frozen=True)
class Item:
    suite: str
    row: Row

    @property
    def key(self) -> tuple[str, str]:
        return self.suite, self.row.id

    def compared(self, pair: str, a: str, b: str) -> Comparison:
        row = self.row
        said = [message for message in row.prompt if message.content]
        last = max((place for place, message in enumerate(said) if message.role == "user"), default=len(said))
        before = "\n".join(f"{message.role}: {message.content}" for message in said[:last])
        return Comparison(pair, self.suite, row.id, row.provenance.root, before, row.question, a, b)


def answers(folder: Path) -> Answers:
    """The (first) answers of an arm; items without one are absent."""
    with (folder / "items.jsonl").open(encoding="utf-8") as file:
        lines = (json.loads(line) for line in file)
        return {(line["suite"], line["item"]): line["answer"] for line in lines if line["answer"] is not None}


def items(suites: Sequence[Suite], inputs: Mapping[str, Path], answered: set[tuple[str, str]], most: int) -> list[Item]:
    """The items that are judged: of each suite the first by hash that some arm answered, each prompt once.

    Raises:
        DistillError: there is none.
    """
    found: dict[str, Item] = {}
    for suite in suites:
        own = [Item(suite.label, row) for row in suite.rows(inputs) if (suite.label, row.id) in answered]
        own = list({_asked(one.row): one for one in own if _asked(one.row) not in found}.values())
        own.sort(key=lambda one: (one.row.provenance.root, one.row.id))
        found |= {_asked(one.row): one for one in own[:most]}
    if not found:
        raise DistillError(
            "no arm answered any item of the suites that are to be judged",
            where="evaluate.judge",
            hint="raise evaluate.generation.items, or name suites that ask for answers",
        )
    return list(found.values())


def of_arms(judge: Judge, chosen: Sequence[Item], by_arm: Mapping[str, Answers]) -> list[Paired]:
    """Every pair of arms on the items that both answered.

    Raises:
        DistillError: no pair has one.
    """
    made = []
    for a, b in judge.pairs:
        both = [one for one in chosen if one.key in by_arm[a] and one.key in by_arm[b]]
        compared = tuple(one.compared(f"{a}/{b}", by_arm[a][one.key], by_arm[b][one.key]) for one in both)
        made.append(Paired(a, b, compared, len(chosen) - len(both)))
    if not any(pair.comparisons for pair in made):
        raise DistillError(
            f"no item was answered by both arms of a pair ({', '.join(pair.name for pair in made)})",
            where="evaluate.judge.pairs",
            hint="look at the notes of these arms: why they did not answer",
        )
    return made


def controls(chosen: Sequence[Item], answers: Answers) -> dict[str, tuple[Comparison, ...]]:
    """Pairs of which the outcome is known, on the answers of one arm: an answer against itself, a fixed sentence against an
    answer, and the answer to another item against the right one. What should lose is `a`."""
    own = [one for one in chosen if one.key in answers][:CONTROLS]
    return {
        SAME: tuple(one.compared(SAME, answers[one.key], answers[one.key]) for one in own),
        FIXED: tuple(one.compared(FIXED, CONSTANT, answers[one.key]) for one in own),
        SHUFFLED: tuple(one.compared(SHUFFLED, other, answers[one.key]) for one, other in _exchanged(own, answers)),
    }


def _exchanged(own: Sequence[Item], answers: Answers) -> Iterator[tuple[Item, str]]:
    """Each item with the answer to the next one that has another root and another answer; without such a one it is left out."""
    for place, one in enumerate(own):
        others = (*own[place + 1 :], *own[:place])
        text = next(
            (
                answers[other.key]
                for other in others
                if other.row.provenance.root != one.row.provenance.root and answers[other.key] != answers[one.key]
            ),
            None,
        )
        if text is not None:
            yield one, text


def _asked(row: Row) -> str:
    return digest([message.model_dump() for message in row.prompt])
