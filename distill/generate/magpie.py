"""magpie: the teacher writes the user's turn itself, from the opening of that turn in its own chat template; then it answers.

An aligned model has seen so many conversations that, given nothing but "the user says", it says what users say. Nothing
is asked for, so no data and no examples are needed. A system message bends the subject.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from distill.generate.author import Unusable, said, user
from distill.generate.draws import Span, dealt
from distill.generate.instructions import COPY, HELPS, asks, overlap, written
from distill.generate.method import Candidate, MethodSpec, Work
from distill.protocols import Completion
from distill.rows import Message

OTHERS = re.compile(r"(?:^|\n)[#*\s]*(?:assistant|ai|system|response|answer)\b[*\s]*(?::|\n).*", re.I | re.S)
"""Another role takes the word."""
MARKS = re.compile(r"<\|[^|<>\n]{1,40}\|>|\[/?INST\]|</?s>|<(?:start|end)_of_turn>|<<SYS>>")
"""What chat templates put between turns, written out as text."""


class Magpie(MethodSpec):
    kind: Literal["magpie"] = "magpie"
    systems: tuple[str, ...] = ()
    """System messages that say whom the assistant is for, so that the user asks about that, drawn evenly. The
    model's own when there are none."""
    keep_system: bool = False
    """The rows have the system message too; else it only bent the subject."""
    exchanges: Span = Span(min=1, max=1)
    """Questions in a conversation."""
    question_temperature: float = Field(1.0, gt=0)
    """Of the user's turn: higher is more varied."""
    question_tokens: int = Field(128, gt=0)
    """Most tokens of a question; one that is longer is cut and counted as a failure."""
    longest: int = Field(120, gt=0)
    """Most words of a question."""

    def candidates(self, work: Work) -> Iterator[Candidate]:
        """Without end: one differs from another by its noise alone, and by the system message that is drawn for it."""
        index = 0
        while True:
            yield self.candidate(work, index)
            index += 1

    def candidate(self, work: Work, index: int) -> Candidate:
        """A conversation in which the teacher is both."""
        author, seed = work.author, work.author.seed
        system = dealt(self.systems, index, seed, work.stream, "system") if self.systems else None
        before = [Message(role="system", content=system)] if system else []
        kept, talk = before if self.keep_system else [], list[Message]()
        for _ in range(self.exchanges.draw(seed, work.stream, "exchanges", index)):
            completion: Completion = yield author.ask(
                [*before, *talk], index, self.question_tokens, temperature=self.question_temperature, turn="user"
            )
            talk.append(user(self.question(completion, talk)))
            request = author.ask([*kept, *talk], index)
            completion = yield request
            answer = said(completion, "answer")
            talk.append(Message(role="assistant", content=answer, reasoning=completion.reasoning))
            if completion.finish == "length":
                break  # the row says so, and nobody goes on from half an answer
        return author.row(request, completion, work.stream, [], messages=[*kept, *talk], subject=system)

    def question(self, completion: Completion, talk: list[Message]) -> str:
        """The user's turn, if it is one.

        Raises:
            Unusable: `engine_error`, `empty_question`, `unfinished_question`, `long_question`, `template_in_question`,
                `speaks_as_assistant`, `asks_nothing` or `repeats_question`.
        """
        text = written(completion, self.longest, cleaned, "question")
        if MARKS.search(text):
            raise Unusable("template_in_question", text)
        if HELPS.search(text):
            raise Unusable("speaks_as_assistant", text)
        if not asks(text):
            raise Unusable("asks_nothing", text)
        for other in talk:
            if other.role == "user" and overlap(text, other.content) >= COPY:
                raise Unusable("repeats_question", text)
        return text


def cleaned(text: str) -> str:
    """The user's turn without what others say after it, where the model went on with the conversation by itself.

    >>> cleaned("Why is the sky blue?\\n\\nassistant: It scatters light.")
    'Why is the sky blue?'
    """
    return OTHERS.sub("", text).strip().removeprefix("user\n").strip()
