"""self_instruct: the teacher writes a new instruction from a few seeds, then answers it in a fresh conversation.

The seeds are shown as the teacher's own earlier turns, so that the next turn is one more of them. A 135M model follows
that far more often than a list of examples in one message (docs/decisions/seeds-as-turns.md has the counts).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from distill.generate.author import Unusable, opened, said, user
from distill.generate.method import Candidate, MethodSpec, Work
from distill.protocols import Completion
from distill.rows import Message, Row, digest, normalise

MAX_WORDS = 120
"""Most words of an instruction, a seed's too."""
COPY = 0.7
"""Jaccard of the words of two instructions from which one is a copy of the other."""


class SelfInstruct(MethodSpec):
    kind: Literal["self_instruct"] = "self_instruct"
    seeds: str
    """Name under `real` whose training prompts are shown as examples."""
    shown: int = Field(3, ge=1, le=20)
    """Seeds shown in one request."""
    system: str | None = None
    """System message put before a new instruction when it is answered."""
    instruction_tokens: int = Field(96, gt=0)
    """Most tokens of a new instruction; one that is longer is cut and counted as a failure."""

    FILES: ClassVar = ("instruction",)

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.seeds,)

    def candidates(self, work: Work) -> Iterator[Candidate]:
        """Without end: the seeds of each are drawn from (seed, index) alone. None where there is no seed to show."""
        rows = work.rows[self.seeds]
        first = {row.provenance.root: row for row in reversed(rows) if len(opening(row).split()) <= MAX_WORDS}
        pool = [first[root] for root in sorted(first)]
        known = frozenset(normalise(opening(row)) for row in pool)
        index = 0
        while pool:
            yield self.candidate(draw(pool, self.shown, work.author.seed, index), known, work, index)
            index += 1

    def candidate(self, seeds: Sequence[Row], known: frozenset[str], work: Work, index: int) -> Candidate:
        """One instruction and its answer. The index is the sample: the same seeds drawn twice are asked twice."""
        author = work.author
        request = author.ask(self.conversation(seeds), index, self.instruction_tokens)
        completion: Completion = yield request
        instruction = parse(said(completion, "instruction"))
        if completion.finish == "length" and completion.text.rstrip().endswith(instruction):
            raise Unusable("unfinished_instruction", instruction)
        check(instruction, [opening(row) for row in seeds], known)
        question = author.ask(opened(self.system, [user(instruction)]))
        completion = yield question
        return author.row(question, completion, work.stream, seeds)

    def conversation(self, seeds: Sequence[Row]) -> list[Message]:
        """The seeds as turns of a conversation that has just asked for one more."""
        messages = []
        for written, row in enumerate(seeds):
            messages.append(user(self.prompt("instruction", written=written)))
            messages.append(Message(role="assistant", content=opening(row)))
        return [*messages, user(self.prompt("instruction", written=len(seeds)))]


def opening(row: Row) -> str:
    """What the user says first: a question that needs no context."""
    return next((message.content for message in row.messages if message.role == "user"), "").strip()


def draw(pool: Sequence[Row], count: int, seed: int, index: int) -> list[Row]:
    """So many different rows, by hash of (seed, index): the same on every machine and for any number of candidates."""
    places: dict[int, None] = {}
    tries = 0
    while len(places) < min(count, len(pool)):
        places[int(digest([seed, "seeds", index, tries])[:15], 16) % len(pool)] = None
        tries += 1
    return [pool[place] for place in places]


LEAD = re.compile(
    r"(?:(?:new |another )?(?:instruction|question|task|prompt|user)\s*\d*\s*:\s*|[-*•]\s+|#+\s+|\d{1,3}[.):]\s+)", re.I
)
"""A label, bullet or number before an instruction."""
ANNOUNCED = re.compile(
    r"(?:(?:sure|certainly|of course|okay|here)\b.*"
    r"|(?:.*\b(?:another|new)\b.*)?\b(?:instruction|question|task|prompt|one)\s*\d*):",
    re.I | re.S,
)
"""A line that only says that an instruction follows."""
QUOTES = {'"': '"', "“": "”", "'": "'", "‘": "’", "`": "`", "«": "»", "**": "**"}


def parse(text: str) -> str:
    """The instruction in what the teacher said: the first paragraph after any lead-in, without label and quotes.

    >>> parse('Here is a new question:\\n\\n1. "What is a fjord?"\\n\\nI hope this helps!')
    'What is a fjord?'
    """
    parts = [part.strip() for part in re.split(r"\n\s*\n", text.strip())]
    while len(parts) > 1 and ANNOUNCED.fullmatch(parts[0]):
        parts.pop(0)
    # "Sort these numbers:" is nothing without what follows it.
    first = "\n\n".join(parts[: 2 if parts[0].endswith(":") else 1])
    lines = [line.strip() for line in first.splitlines()]
    while len(lines) > 1 and ANNOUNCED.fullmatch(lines[0]):
        lines.pop(0)
    # A list, or a question with talk after it, begins with the one instruction that was asked for.
    listed = len(lines) > 1 and bool(LEAD.match(lines[0]) and LEAD.match(lines[1]))
    instruction = lines[0] if listed or lines[0].rstrip("\"'”*").endswith("?") else "\n".join(lines)
    return bare(instruction)


def bare(instruction: str) -> str:
    """Labels, numbers, bullets and enclosing quotes taken off, as many as there are."""
    before = None
    while before != instruction:
        before = instruction
        instruction = LEAD.sub("", instruction).strip()
        for left, right in QUOTES.items():
            inner = instruction[len(left) : -len(right)]
            if instruction.startswith(left) and instruction.endswith(right) and inner and right not in inner:
                instruction = inner.strip()
    return instruction


def check(instruction: str, seeds: Sequence[str], known: frozenset[str]) -> None:
    """Refuse what is not a new instruction.

    Raises:
        Unusable: `empty_instruction`, `long_instruction` or `copies_seed`.
    """
    if not any(character.isalpha() for character in instruction):
        raise Unusable("empty_instruction", instruction)
    if len(instruction.split()) > MAX_WORDS:
        raise Unusable("long_instruction", instruction)
    if normalise(instruction) in known:
        raise Unusable("copies_seed", instruction)
    words = set(normalise(instruction).split())
    for seed in seeds:
        others = set(normalise(seed).split())
        if len(words & others) >= COPY * len(words | others):
            raise Unusable("copies_seed", f"{instruction} | seed: {seed}")
