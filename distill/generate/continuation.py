"""continue: plain texts for what is thin in pre-training, a field or a language, from topics or from real passages.

    topics: [...]              a text on a topic, for an audience and in a style that are drawn for it
    passages: NAME             a real passage is gone on from, as plain text without any chat
    passages: NAME, manner     another text in the manner of the passage, asked for in a chat

A row is what the teacher wrote and nothing else; it is learnt whole. Audience times style is what keeps texts on one topic
apart. A text that was cut ends with its last whole sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from distill.generate.author import Unusable, said, user
from distill.generate.draws import Span, dealt, one
from distill.generate.instructions import opening, unwrapped
from distill.generate.method import Candidate, MethodSpec, Work
from distill.languages import named, spoken
from distill.protocols import Completion, Request
from distill.rows import Message, Row, digest, normalise
from distill.sources.passages import beginning, size, whole
from distill.words import words

AUDIENCES = (
    "children of ten",
    "pupils of a secondary school",
    "students in their first year",
    "people who work in the field",
    "readers of a newspaper",
    "somebody who has never heard of it",
)
STYLES = (
    "a chapter of a textbook",
    "an entry of an encyclopedia",
    "an article of a magazine",
    "a short story",
    "a letter to a friend",
    "a conversation between two people",
    "step-by-step instructions",
)
AVOID = (
    "Once upon a time", "In the heart of", "In the world of", "In the realm of", "In today's world", "Have you ever",
    "Imagine", "Welcome to", "Dear reader", "Sure", "Certainly", "Here is",
)  # fmt: skip
HEADED = re.compile(r"\A\W{0,3}(?:title|subject|topic|readers|length)\W{0,3}:.*\n+", re.I)
"""A line before the text that is none of it."""
TASK = re.compile(
    r"\b(?:original|rewritten|rephrased|revised|given|above) (?:text|passage|article|version)\b"
    r"|\bI(?:['’]m| am|['’]d be) (?:here|happy|glad|ready) to\b|\b(?:language model|AI assistant|chatbot)\b"
    r"|\b(?:your|this) (?:request|prompt|instructions?)\b|\blet me know if\b|\bhope (?:this|that) helps\b",
    re.I,
)
"""Talk of the task, which has no place in a text."""
GRAM = 8
"""Words in a row that, found again, are copied."""


class Continue(MethodSpec):
    kind: Literal["continue"] = "continue"
    topics: str | tuple[str, ...] = ()
    """Topics to write about, or the name under `real` of a data set whose prompts are topics."""
    passages: str | None = None
    """Name under `real` of texts to go on from."""
    manner: bool = False
    """A passage is not gone on from but imitated: another text of its kind is asked for in a chat."""
    opening: int | None = Field(None, ge=1)
    """Words of a passage that are shown, from its first; all of it when not given. A model that has learnt whole passages
    ends where a whole one ends."""
    samples: int = Field(1, ge=1)
    """Texts from one passage at most. A topic comes again without end, for another audience and in another style."""
    audiences: tuple[str, ...] = Field(AUDIENCES, min_length=1)
    """For whom a text on a topic is written; one is drawn."""
    styles: tuple[str, ...] = Field(STYLES, min_length=1)
    """What a text on a topic is, such as `a chapter of a textbook`; one is drawn."""
    words: Span = Span(min=80, max=200)
    """Length that is asked for, drawn; what goes on from a passage is as long as `max_new_tokens` lets it be."""
    language: str | None = None
    """Language to write in, by its English name or its code; that of topic or passage when not given."""
    avoid: tuple[str, ...] = AVOID
    """Openings that every model falls into; a text that begins so is dropped. Told to a prompt file of your own as `avoid`:
    the ones that ship do not say them, because a weak model then begins with them all the more."""
    min_words: int = Field(40, ge=1)
    """Least words of a text."""
    copied: float = Field(0.2, ge=0, le=1)
    """Most of a text that may stand in its passage or its prompt, as a share of its runs of 8 words."""

    FILES: ClassVar = ("topic", "manner")
    TAKES: ClassVar = frozenset({"text"})
    MAKES: ClassVar = "text"

    @model_validator(mode="after")
    def _one_source(self) -> Continue:
        if bool(self.topics) == bool(self.passages):
            raise ValueError("exactly one of `topics` and `passages` says what is written about")
        if self.opening and (self.manner or not self.passages):
            raise ValueError("`opening` is that of `passages` which are gone on from, without `manner`")
        if self.manner and not self.passages:
            raise ValueError("`manner` is that of `passages`, and there are none")
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(name for name in (self.topics, self.passages) if isinstance(name, str))

    def takes(self, name: str) -> frozenset[str]:
        return frozenset({"prompt", "chat"}) if name == self.topics else self.TAKES

    @property
    def several(self) -> int:
        return self.samples

    def candidates(self, work: Work) -> Iterator[Candidate]:
        """Passages in the order of their hashes with the seed, each once before any comes again; topics without end."""
        if self.passages:
            seed = work.author.seed
            rows = {digest([seed, row.id]): row for row in work.rows[self.passages] if row.kind == "text"}
            for sample in range(self.samples):
                for key in sorted(rows):
                    yield self.from_passage(rows[key], sample, work)
        else:
            yield from self.from_topics(work)

    def from_topics(self, work: Work) -> Iterator[Candidate]:
        """Every topic once, for an audience and in a style, before any comes again."""
        rows: dict[str, Row | None] = {}
        if isinstance(self.topics, str):
            rows |= {opening(row): row for row in work.rows[self.topics]}
        else:
            rows |= dict.fromkeys(self.topics)
        topics = sorted(rows, key=digest)
        index = 0
        while topics:
            topic = dealt(topics, index, work.author.seed, work.stream, "topic")
            yield self.on_topic(topic, rows[topic], index, work)
            index += 1

    def on_topic(self, topic: str, parent: Row | None, index: int, work: Work) -> Candidate:
        """A text on a topic. The index is the sample: the same draw twice is asked twice."""
        drawn = (work.author.seed, work.stream, index)
        audience, style = one(self.audiences, *drawn, "audience"), one(self.styles, *drawn, "style")
        told = self.prompt("topic", topic=topic, audience=audience, style=style, **self.values(*drawn))
        request = work.author.ask([user(told)], index)
        completion: Completion = yield request
        parents = [parent] if parent else []
        return self.row(request, completion, work, parents, topic=topic, audience=audience, style=style)

    def from_passage(self, passage: Row, sample: int, work: Work) -> Candidate:
        """A text that goes on from a passage, or is like it."""
        if self.manner:
            values = self.values(work.author.seed, work.stream, passage.id, sample)
            title = passage.evidence.get("title", "")
            told = self.prompt("manner", passage=passage.answer, title=title, **values)
            request = work.author.ask([user(told)], sample)
        else:
            shown = beginning(passage.answer, self.opening) if self.opening else passage.answer
            request = work.author.ask([Message(role="assistant", content=shown)], sample, turn="text")
        completion: Completion = yield request
        return self.row(request, completion, work, [passage])

    def values(self, *drawn: object) -> dict[str, object]:
        """What both prompt files are told."""
        return {
            "words": self.words.draw(*drawn, "words"),
            "language": named(self.language) if self.language else "",
            "avoid": self.avoid,
        }

    def row(self, request: Request, completion: Completion, work: Work, parents: Sequence[Row], **notes: Any) -> Row:
        """The text as a row, if it is one."""
        text = said(completion, "text").strip()
        text = text if request.turn == "text" else HEADED.sub("", unwrapped(text))
        cut = completion.finish == "length"
        if cut:
            text, completion = whole(text), replace(completion, finish="stop")
        if request.turn != "text" and (talk := TASK.search(text)):
            raise Unusable("talks_of_task", f"{talk[0]}: {text[:200]}")
        self.check(text, " ".join(message.content for message in request.messages))
        message = Message(role="assistant", content=text)
        return work.author.row(
            request,
            completion,
            work.stream,
            parents,
            messages=[message],
            kind="text",
            turn=request.turn,
            cut=cut,
            **notes,
        )

    def check(self, text: str, shown: str) -> None:
        """Refuse what is no text of its own, but for the most part what the teacher was shown.

        Raises:
            Unusable: `short_text`, `avoided_opening`, `other_language` or `copied`.
        """
        if size(text) < self.min_words:
            raise Unusable("short_text", text or "no whole sentence")
        begins = f"{normalise(text[:200])} "
        if opened := next((one for one in self.avoid if begins.startswith(f"{normalise(one)} ")), None):
            raise Unusable("avoided_opening", f"{opened}: {text[:200]}")
        if self.language and spoken(text, self.language) is False:
            raise Unusable("other_language", text[:200])
        share = copied(text, shown)
        if share > self.copied:
            raise Unusable("copied", f"{share:.2f}: {text[:200]}")


def copied(text: str, shown: str) -> float:
    """The share of a text's runs of words that stand in another."""
    mine, others = grams(text), grams(shown)
    return len(mine & others) / len(mine) if mine else 0.0


def grams(text: str) -> set[tuple[str, ...]]:
    said = words(text)
    return {tuple(said[place : place + GRAM]) for place in range(len(said) - GRAM + 1)}
