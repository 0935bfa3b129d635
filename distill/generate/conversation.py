"""conversation: several exchanges, the teacher on both sides: it answers as itself, and plays the user who asks on.

The user's side sees the conversation with the roles swapped, after a worked example. A model that plays a user falls back
into the assistant it is: it thanks, offers help, repeats itself. Such a turn ends the conversation before it, if that is
long enough; else there is none.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from distill.generate.author import Unusable, user, whole
from distill.generate.draws import Span, dealt, in_order
from distill.generate.instructions import COPY, HELPS, asks, bare, lead, opening, overlap, recited, unwrapped, written
from distill.generate.method import Candidate, MethodSpec, Work
from distill.protocols import Completion, Request
from distill.rows import Message, Row
from distill.words import words

GOODBYE = re.compile(
    r"\b(?:thank(?:s| you)|good ?bye|bye|see you|have a (?:great|nice|good|wonderful|lovely)|take care|that(?:'s| is) all"
    r"|you too|good night|i appreciate)\b",
    re.I,
)
"""The end of a talk, where nothing is asked any more."""
ONWARD = re.compile(r"\n\s*(?:the )?(?:assistant|person|user)(?: says)?\s*:.*", re.I | re.S)
"""The model goes on with both sides by itself."""
SPEAKER = re.compile(r"^(?:the )?(?:person|user)(?: says| asks)?\s*:\s*", re.I)
LONGEST = 120
"""Most words of a user's turn."""
SAME_ANSWER = 0.9
"""Jaccard of the words of two answers from which the second only repeats the first."""


class Conversation(MethodSpec):
    kind: Literal["conversation"] = "conversation"
    prompts: str | None = None
    """Name under `real` whose training prompts open the conversations."""
    topics: tuple[str, ...] = ()
    """Subjects, in place of `prompts`: the user opens with one of them, drawn evenly."""
    personas: tuple[str, ...] = ()
    """Who the user is ("a nurse on night shift"), drawn evenly for each conversation."""
    exchanges: Span = Span(min=2, max=4)
    """Questions and answers in a conversation; the number is drawn, and fewer are kept where the talk is over before."""
    user: str | None = None
    """Name under `teachers` of the model that plays the user; the teacher itself when not given."""
    user_temperature: float | None = Field(None, ge=0)
    """Of the user's turns; that of the answers when not given."""
    user_tokens: int = Field(96, gt=0)
    """Most tokens of a user's turn; one that is longer is cut and not used."""
    system: str | None = None
    """System message for the assistant's side."""

    FILES: ClassVar = ("begin", "next")

    @model_validator(mode="after")
    def _has_an_opening(self) -> Conversation:
        if self.prompts and self.topics:
            raise ValueError("a conversation opens with one of `prompts` or with one of `topics`: give one of the two")
        if not (self.prompts or self.topics or self.personas):
            raise ValueError("give `prompts`, `topics` or `personas`: what a conversation opens with")
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.prompts,) if self.prompts else ()

    @property
    def asks(self) -> tuple[str, ...]:
        return (self.user,) if self.user else ()

    def candidates(self, work: Work) -> Iterator[Candidate]:
        """Without end: every prompt once, in the order of its hash with the seed, then again; or topics and personas dealt."""
        pool: list[Row] = []
        if self.prompts:
            rows = (row for row in work.rows[self.prompts] if len(words(opening(row))) <= LONGEST)
            pool = in_order(rows, work.author.seed)
        index = 0
        while pool or not self.prompts:
            yield self.candidate(pool[index % len(pool)] if pool else None, work, index)
            index += 1

    def candidate(self, parent: Row | None, work: Work, index: int) -> Candidate:
        """One conversation."""
        seed = work.author.seed
        persona = dealt(self.personas, index, seed, "persona") if self.personas else ""
        topic = dealt(self.topics, index, seed, "topic") if self.topics else ""
        own = [Message(role="system", content=self.system)] if self.system else []
        talk = Talk((parent and lead(parent)) or own, self.turns("begin", persona=persona, topic=topic))
        ended = yield from self.hold(talk, parent, work, index)
        return work.author.row(
            *talk.last[0],
            work.stream,
            [parent] if parent else [],
            messages=[*talk.before, *talk.said],
            helped=[work.cast[name] for name in self.asks],
            persona=persona,
            topic=topic,
            exchanges=talk.exchanges,
            ended=ended,
        )

    def hold(self, talk: Talk, parent: Row | None, work: Work, index: int) -> Generator[Any, Any, str]:
        """So many exchanges as are drawn, or as are good; why there are fewer, if there are.

        Raises:
            Unusable: for that reason, if they are fewer than the least number.
        """
        count = self.exchanges.draw(work.author.seed, "exchanges", index)
        while talk.exchanges < count:
            try:
                opens = parent and not talk.said
                said = opening(parent) if parent and opens else (yield from self.users_turn(talk, work, index))
                request = work.author.ask([*talk.before, *talk.said, user(said)], index)
                completion: Completion = yield request
                talk.go_on(said, request, completion, self.prompt("next", answer=whole(completion, "answer")))
            except Unusable as unusable:
                if talk.exchanges < self.exchanges.min:
                    raise
                return unusable.reason
        return ""

    def users_turn(self, talk: Talk, work: Work, index: int) -> Generator[Any, Any, str]:
        """What the user says next.

        Raises:
            Unusable: it is no turn of a user (see `check`).
        """
        plays = work.cast[self.user] if self.user else work.author
        request = plays.ask([*talk.begin, *talk.played], index, self.user_tokens, temperature=self.user_temperature)
        completion: Completion = yield request
        said = written(completion, LONGEST, turn_of, "turn")
        if recited(said, talk.begin):
            raise Unusable("copies_prompt_file", said)
        check(said, talk)
        return said


@dataclass
class Talk:
    """A conversation as both sides see it."""

    before: Sequence[Message]
    """The assistant's system message."""
    begin: Sequence[Message]
    """What the one who plays the user is told first."""
    played: list[Message] = field(default_factory=list)
    """What follows for that one, the roles swapped: what the user says is its own."""
    said: list[Message] = field(default_factory=list)
    last: list[tuple[Request, Completion]] = field(default_factory=list)
    """Of the last answer."""

    @property
    def exchanges(self) -> int:
        return len(self.said) // 2

    def by(self, role: str) -> list[str]:
        return [message.content for message in self.said if message.role == role]

    def go_on(self, said: str, request: Request, completion: Completion, following: str) -> None:
        """One exchange more.

        Args:
            following: what the one who plays the user is told of the answer.

        Raises:
            Unusable: `repeats_answer`.
        """
        if any(overlap(completion.text, earlier) >= SAME_ANSWER for earlier in self.by("assistant")):
            raise Unusable("repeats_answer", completion.text)
        answer = Message(role="assistant", content=completion.text, reasoning=completion.reasoning)
        self.said += [user(said), answer]
        self.played += [Message(role="assistant", content=said), user(following)]
        self.last = [(request, completion)]


def turn_of(text: str) -> str:
    """What the user says in a text, without the name of who speaks and without what others say after it.

    >>> turn_of('The person says: "And when it rains?"\n\nThe assistant says: Then you wait.')
    'And when it rains?'
    """
    return bare(SPEAKER.sub("", unwrapped(ONWARD.sub("", SPEAKER.sub("", text.strip())))))


def check(said: str, talk: Talk) -> None:
    """Refuse what a user would not say.

    Raises:
        Unusable: `speaks_as_assistant`, `says_goodbye`, `repeats_itself` or `echoes_answer`.
    """
    if HELPS.search(said):
        raise Unusable("speaks_as_assistant", said)
    if GOODBYE.search(said) and not asks(said):
        raise Unusable("says_goodbye", said)
    if any(overlap(said, earlier) >= COPY for earlier in talk.by("user")):
        raise Unusable("repeats_itself", said)
    last = talk.by("assistant")[-1:]
    if last and (overlap(said, last[0]) >= COPY or " ".join(words(said)) in " ".join(words(last[0]))):
        raise Unusable("echoes_answer", said)
