"""evolve: real prompts are made harder (in depth) or rarer (in breadth) step by step, and answered in a fresh conversation.

Evol-Instruct. What fails to evolve is eliminated: an evolution that adds nothing, that is an answer, that has lost its
subject or that repeats the words it was asked with is tried again with another operation; a prompt that is refused or to which
nothing is said is dropped. Worked examples stand in the prompt files as earlier turns, for a weak teacher answers a
question rather than rewrite it (docs/methods/evolve.md has the counts).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from distill.generate.author import Unusable, opened, said, user
from distill.generate.draws import Span, dealt, in_order
from distill.generate.faithful import keeps_subject
from distill.generate.instructions import (
    COPY,
    DECLARES,
    HELPS,
    asks,
    label_of,
    lead,
    opening,
    overlap,
    recited,
    unwrapped,
    without,
    written,
)
from distill.generate.method import Candidate, MethodSpec, Work
from distill.generate.verdicts import asked_whether
from distill.languages import empty_words, telling_words
from distill.protocols import Completion
from distill.refusals import phrase
from distill.rows import Message, Row
from distill.words import words

DEPTH = ("constraints", "deepen", "concretise", "reasoning", "input")
"""Operations that make a prompt harder: it keeps its subject."""
BREADTH = "breadth"
"""The operation that writes another prompt of the same field, rarer."""
EQUAL = "equal"
"""Name of the prompt file that asks whether two prompts are the same."""
SAME, DIFFERENT = ("equal", "same", "yes"), ("not equal", "unequal", "different", "not the same", "no")
"""Verdicts of who is asked."""
SAME_WORDS = 0.9
"""Jaccard of the words of a prompt and of what was made of it in depth, from which nothing was."""
ANSWERED = re.compile(
    r"\?[\"'”]?\s+(?:(?:because|yes|no|it(?:'s| is| was)|(?:the )?answer)\b|an? (?:\w+ ){0,2}\w+[.!]$)", re.I
)
"""A question with its answer after it."""
SORRY = 80
"""Words under which an answer that begins with a refusal is one."""
LEAKS = ("given prompt", "rewritten prompt", "created prompt", "new text", "text that i give you")
"""Words of prompt files, ours and those of the paper, that no evolved prompt says by itself."""


class Evolve(MethodSpec):
    kind: Literal["evolve"] = "evolve"
    prompts: str
    """Name under `real` whose training prompts are evolved."""
    steps: Span = Span(min=1, max=1)
    """Times that a prompt is evolved, each time from what the time before made of it."""
    operations: tuple[str, ...] = Field((*DEPTH, BREADTH), min_length=1)
    """What may be done to it, drawn evenly: `constraints`, `deepen`, `concretise`, `reasoning`, `input`, `breadth`, or a name
    of your own whose text is in `templates`."""
    tries: int = Field(2, ge=1)
    """Evolutions tried for a step, each by the next operation, before the prompt is given up."""
    equality: str | None = None
    """Name of a model (`teacher`, or one under `teachers`) that is asked whether an evolution is equal to what it came from."""
    system: str | None = None
    """System message put before an evolved prompt when it is answered."""
    longest: int = Field(250, gt=0)
    """Most words of a prompt, before it was evolved and after."""
    instruction_tokens: int = Field(256, gt=0)
    """Most tokens of an evolution; one that is longer is cut and eliminated."""

    FILES: ClassVar = (*DEPTH, BREADTH, EQUAL)

    @property
    def files(self) -> tuple[str, ...]:
        return (*self.FILES, *(name for name in self.operations if name not in self.FILES))

    @model_validator(mode="after")
    def _known_operations(self) -> Evolve:
        for name in self.operations:
            if name == EQUAL or (name not in self.FILES and name not in self.templates):
                known = ", ".join((*DEPTH, BREADTH))
                raise ValueError(f"no operation {name!r}: there are {known}, and those whose text is in `templates`")
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.prompts,)

    @property
    def asks(self) -> tuple[str, ...]:
        return (self.equality,) if self.equality else ()

    def candidates(self, work: Work) -> Iterator[Candidate]:
        """Without end: every prompt once, in the order of its hash with the seed; then again by other operations."""
        pool = in_order(
            (row for row in work.rows[self.prompts] if len(words(opening(row))) <= self.longest), work.author.seed
        )
        index = 0
        while pool:
            yield self.candidate(pool[index % len(pool)], work, index)
            index += 1

    def candidate(self, parent: Row, work: Work, index: int) -> Candidate:
        """One prompt, evolved and answered."""
        prompt, through, operations, eliminated = opening(parent), [], [], []
        for step in range(self.steps.draw(work.author.seed, "steps", index)):
            operation, evolved, failed = yield from self.step(prompt, work, index, step)
            through.append(prompt)
            operations.append(operation)
            eliminated += failed
            prompt = evolved
        question = work.author.ask(opened(self.system, [*lead(parent), user(prompt)]), index)
        completion: Completion = yield question
        answered(said(completion, "answer"), prompt)
        return work.author.row(
            question,
            completion,
            work.stream,
            [parent],
            helped=[work.cast[name] for name in self.asks],
            operations=operations,
            evolved_from=through[1:],
            eliminated=eliminated,
        )

    def step(self, prompt: str, work: Work, index: int, step: int) -> Generator[Any, Any, tuple[str, str, list[str]]]:
        """The first operation that is not eliminated, what it made of the prompt, and why those before it were.

        Raises:
            Unusable: for the reason of the last.
        """
        failed: list[str] = []
        first = dealt(range(len(self.operations)), index, work.author.seed, "operation", step)
        for number in range(self.tries):
            operation = self.operations[(first + number) % len(self.operations)]
            turns = self.turns(operation, prompt=prompt)
            sample = index * self.tries + number
            completion: Completion = yield work.author.ask(turns, sample, self.instruction_tokens)
            try:
                evolved = without(label_of(turns, prompt), written(completion, self.longest, unwrapped))
                check(evolved, prompt, operation, turns)
                yield from self.unequal(evolved, prompt, work)
                return operation, evolved, failed
            except Unusable as unusable:
                failed.append(unusable.reason)
                last = unusable
        raise Unusable(last.reason, f"{operation}: {prompt} -> {last.detail} (eliminated: {', '.join(failed)})")

    def unequal(self, evolved: str, prompt: str, work: Work) -> Generator[Any, Any, None]:
        """Ask a model, where the recipe names one, whether anything was added.

        Raises:
            Unusable: `judged_equal`, or `unclear_judgement`.
        """
        if self.equality is None:
            return
        question = self.prompt(EQUAL, parent=prompt, prompt=evolved)
        if (yield from asked_whether(work.cast[self.equality], question, SAME, DIFFERENT)):
            raise Unusable("judged_equal", evolved)


def check(evolved: str, prompt: str, operation: str, turns: Sequence[Message] = ()) -> None:
    """Eliminate what did not evolve.

    Args:
        turns: what the teacher was told.

    Raises:
        Unusable: `adds_nothing`, `copies_prompt_file`, `refuses_to_evolve`, `asks_nothing`, `speaks_as_assistant`,
            `answers_itself` or `loses_subject`.
    """
    if adds_nothing(evolved, prompt, operation):
        raise Unusable("adds_nothing", evolved)
    if recited(evolved, turns) or leaked(evolved, prompt, turns):
        raise Unusable("copies_prompt_file", evolved)
    if phrase(evolved, prompt):
        raise Unusable("refuses_to_evolve", evolved)
    if (DECLARES.match(evolved) or asks(prompt)) and not asks(evolved):
        raise Unusable("asks_nothing", evolved)
    if HELPS.search(evolved) and not HELPS.search(prompt):
        raise Unusable("speaks_as_assistant", evolved)
    if ANSWERED.search(evolved) and not ANSWERED.search(prompt):
        raise Unusable("answers_itself", evolved)
    if operation in DEPTH and not keeps_subject(evolved, prompt):
        raise Unusable("loses_subject", evolved)


def leaked(evolved: str, prompt: str, turns: Sequence[Message]) -> bool:
    """Words of a prompt file are in it, which were not in the prompt."""
    label = label_of(turns, prompt).casefold() if turns else ""
    plain, before = (" ".join(text.casefold().split()) for text in (evolved, prompt))
    return any(leak in plain and leak not in before for leak in (*LEAKS, label) if leak)


def adds_nothing(evolved: str, prompt: str, operation: str) -> bool:
    """Nearly the words of the prompt; in depth also none that tell anything new, and no more of the others."""
    if operation not in DEPTH:
        return overlap(evolved, prompt) >= COPY
    no_longer = len(words(evolved)) <= len(words(prompt)) + 1
    return overlap(evolved, prompt) >= SAME_WORDS or (no_longer and telling_words(evolved) <= telling_words(prompt))


def answered(answer: str, prompt: str) -> None:
    """Eliminate a prompt that the teacher could not answer.

    Raises:
        Unusable: `refused_answer` or `says_nothing`.
    """
    if phrase(answer, prompt) and len(words(answer)) < SORRY:
        raise Unusable("refused_answer", f"{prompt} -> {answer}")
    if empty_words(answer):
        raise Unusable("says_nothing", f"{prompt} -> {answer}")
