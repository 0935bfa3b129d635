"""an arm's suites -> its items, how each is answered, and what its answers are worth; the same for every arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from distill.context import Context
from distill.errors import DistillError
from distill.evaluate.answers import Item, first
from distill.evaluate.choosing import Likelihoods
from distill.evaluate.settings import Generation
from distill.protocols import Completion, Sampling
from distill.suites.metrics import Metric
from distill.suites.suite import Answered, Decoding, Judged, Subject, Suite

EMPTY = {
    "heldout_teacher": "raise generate.sampling.max_new_tokens if the teacher's held-out answers were all cut, or "
    "split.held_out_prompts, or leave the suite out",
    "heldout_text": "hold out documents (split.held_out_prompts), or leave the suite out",
    "heldout_real": "hold out prompts that have answers in the data, or leave the suite out",
}
"""What helps where a suite has no item."""


@dataclass(frozen=True)
class Asked:
    """The items of every suite, in its own order; a row that a suite holds twice is one item."""

    suites: Mapping[str, Suite]
    """By label."""
    by_suite: Mapping[str, Sequence[Item]]
    generation: Generation
    metrics: Mapping[str, Mapping[str, Metric]]
    """What each suite measures."""

    @cached_property
    def items(self) -> list[Item]:
        return [item for own in self.by_suite.values() for item in own]

    def of(self, ask: str) -> list[Item]:
        """Items of the suites that ask for this."""
        return [item for item in self.items if ask == self.suites[item.suite].ASKS]

    @property
    def options(self) -> list[tuple[Item, tuple[str, ...]]]:
        """Items that are chosen, each with what it is chosen from."""
        return [(item, self.suites[item.suite].candidates(item.row)) for item in self.of("choices")]

    @cached_property
    def answered(self) -> list[tuple[Item, Decoding]]:
        """Items that are answered, each with how."""
        greedy = Decoding(Sampling(temperature=0, max_new_tokens=self.generation.max_new_tokens))
        found: list[tuple[Item, Decoding]] = []
        for label, items in self.by_suite.items():
            suite = self.suites[label]
            if suite.ASKS == "likelihood":
                count = self.generation.items if suite.ANSWERED else 0
                found += [(item, greedy) for item in first(items, count)]
            elif how := suite.decoding:
                found += [(item, how) for item in items]
        return found

    def chosen(self, scored: Mapping[str, Likelihoods]) -> dict[str, Judged]:
        """What was chosen, by the item's key."""
        return {
            item.key: Judged(error=scored[item.key].error)
            if scored[item.key].error
            else self.suites[item.suite].choose(item.row, scored[item.key].logprobs)
            for item in self.of("choices")
        }

    def judged(self, answers: Mapping[str, Sequence[Completion]], context: Context) -> dict[str, Judged]:
        """What the answers are worth, by the item's key, on every rank; this rank judges its share."""
        mine: list[tuple[str, Judged]] = []
        for label, items in self.by_suite.items():
            own = [item for item in items if item.key in answers][context.ranks.rank :: context.ranks.world]
            texts = {item.key: self.texts(item, answers[item.key]) for item in own}
            # A mean over the answers that came would leave out those that are hard to give.
            told = [item for item in own if len(texts[item.key]) == len(answers[item.key])]
            asked = [Answered(item.row, texts[item.key]) for item in told]
            results = self.suites[label].judge(asked) if asked else []
            mine += zip((item.key for item in told), results, strict=True)
            lost = (item.key for item in own if len(texts[item.key]) < len(answers[item.key]))
            mine += [(key, Judged(error=why(answers[key]))) for key in lost]
        return dict(context.ranks.gather(mine))

    def examined(self, subject: Subject, context: Context) -> dict[str, Judged]:
        """What suites made of a model that they asked themselves, by the item's key, on every rank; this rank asks its
        share."""
        mine: list[tuple[str, Judged]] = []
        for label in dict.fromkeys(item.suite for item in self.of("model")):
            own = list(self.by_suite[label])[context.ranks.rank :: context.ranks.world]
            results = self.suites[label].examine([item.row for item in own], subject)
            mine += zip((item.key for item in own), results, strict=True)
        return dict(context.ranks.gather(mine))

    def texts(self, item: Item, completions: Sequence[Completion]) -> tuple[str, ...]:
        """The answers among what became of the questions.

        What was cut while it was thinking is no answer: where answers are right or wrong it is an empty one, and where
        they are compared with another it is missing.
        """
        strict = self.suites[item.suite].ASKS == "answers"
        return tuple(each.text for each in completions if each.finish != "error" and (strict or not thinking(each)))


def read(suites: Sequence[Suite], generation: Generation, inputs: Mapping[str, Path]) -> Asked:
    """Raises:
    DistillError: a suite without items."""
    by_suite: dict[str, list[Item]] = {}
    for suite in suites:
        items = {item.key: item for row in suite.rows(inputs) if (item := Item(suite.label, row))}
        if not items:
            raise DistillError(
                "there is no item to evaluate on",
                where=f"evaluate.suites: {suite.label}",
                hint=EMPTY.get(suite.kind, "look at its data"),
            )
        by_suite[suite.label] = list(items.values())
    metrics = {suite.label: suite.measured(inputs) for suite in suites}
    return Asked({suite.label: suite for suite in suites}, by_suite, generation, metrics)


def thinking(completion: Completion) -> bool:
    """Whether it was cut before it began to answer."""
    return completion.finish == "length" and not completion.text


def why(completions: Sequence[Completion]) -> str | None:
    """Why there is no answer, or not every one that was asked for; None where nothing went wrong."""
    failed = [completion.error for completion in completions if completion.finish == "error"]
    if not failed or len(failed) == len(completions):
        return next(iter(failed), None)
    return f"only {len(completions) - len(failed)} of {len(completions)} answers came: {failed[0]}"
