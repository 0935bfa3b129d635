"""rephrase: real rows said anew: in other words, in a style, in another language, easier or harder. The parent is recorded.

    ways:
      - {kind: paraphrase}                     another question with the same, real answer
      - {kind: style, style: very polite}      the same question, answered in another tone
      - {kind: translation, to: Spanish}       both, in Spanish
      - {kind: harder}                         another question on the subject, which the teacher answers

A row is the first exchange of a real conversation, so that it stands alone. What must stay (numbers, code) is held against
the parent, and a translation against the language it should be in, as far as that can be told cheaply.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from distill.generate.author import Unusable, opened, user
from distill.generate.draws import dealt
from distill.generate.faithful import compare
from distill.generate.instructions import label_of, lead, opening, recited, unwrapped, without, written
from distill.generate.method import Candidate, MethodSpec, Work
from distill.generate.verdicts import asked_whether
from distill.languages import named
from distill.protocols import Completion
from distill.rows import Frozen, Message, Row, digest
from distill.words import words

Part = Literal["question", "answer"]
SAME = "same"
"""Name of the prompt file that asks whether two texts mean the same."""


class Manner(Frozen):
    """A way to say a row anew."""

    kind: str

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is said anew."""
        return ("question",)

    @property
    def language(self) -> str | None:
        """What the text must be in then; None where that does not change."""
        return None

    @property
    def values(self) -> dict[str, str]:
        """What its prompt file is told besides the text."""
        return {}


class Reworded(Manner):
    """One that keeps the meaning, so that what is not said anew may stay."""

    of: tuple[Part, ...] = Field(min_length=1)
    """What is said anew, `question`, `answer` or both; the other stays as it is."""

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.of


class Paraphrase(Reworded):
    """In other words."""

    kind: Literal["paraphrase"] = "paraphrase"
    of: tuple[Part, ...] = Field(("question",), min_length=1)


class Style(Reworded):
    """In another tone."""

    kind: Literal["style"] = "style"
    style: str = Field(min_length=1)
    """Such as `very polite`, `like a short message to a friend`."""
    of: tuple[Part, ...] = Field(("answer",), min_length=1)

    @property
    def values(self) -> dict[str, str]:
        return {"style": self.style[:1].upper() + self.style[1:]}


class Translation(Reworded):
    """In another language."""

    kind: Literal["translation"] = "translation"
    to: str = Field(min_length=1)
    """The language, by its English name or its code."""
    of: tuple[Part, ...] = Field(("question", "answer"), min_length=1)

    @property
    def language(self) -> str:
        return self.to

    @property
    def values(self) -> dict[str, str]:
        return {"language": named(self.to)}


class Easier(Manner):
    """An easier question on the same subject, answered by the teacher."""

    kind: Literal["easier"] = "easier"


class Harder(Manner):
    """A harder question on the same subject, answered by the teacher."""

    kind: Literal["harder"] = "harder"


Way = Annotated[Paraphrase | Style | Translation | Easier | Harder, Field(discriminator="kind")]


class Rephrase(MethodSpec):
    kind: Literal["rephrase"] = "rephrase"
    rows: str
    """Name under `real` of the rows that are said anew."""
    ways: tuple[Way, ...] = Field((Paraphrase(),), min_length=1)
    """What is done to a row, drawn evenly; a row comes again by another way once all rows have come."""
    judge: str | None = None
    """Name of a model (`teacher`, or one under `teachers`) that is asked whether a text still means the same."""
    system: str | None = None
    """System message for rows that have none, where the teacher answers."""
    longest: int = Field(400, gt=0)
    """Most words of a question or an answer, before and after."""
    text_tokens: int = Field(512, gt=0)
    """Most tokens of a text said anew; one that is longer is cut and not used."""

    FILES: ClassVar = ("paraphrase", "style", "translation", "easier", "harder", SAME)

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.rows,)

    @property
    def asks(self) -> tuple[str, ...]:
        return (self.judge,) if self.judge else ()

    def candidates(self, work: Work) -> Iterator[Candidate]:
        """Without end: every row once, in the order of its hash with the seed; then again by the next way."""
        seed = work.author.seed
        pool = {row.id: row for row in work.rows[self.rows] if self.fits(row)}
        order = sorted(pool, key=lambda key: digest([seed, key]))
        index = 0
        while order:
            again, place = divmod(index, len(order))
            first = dealt(range(len(self.ways)), place, seed, "way")
            yield self.candidate(pool[order[place]], self.ways[(first + again) % len(self.ways)], work, again)
            index += 1

    def fits(self, row: Row) -> bool:
        return all(len(words(text)) <= self.longest for text in exchange(row).values())

    def candidate(self, parent: Row, way: Way, work: Work, again: int) -> Candidate:
        """One row said anew in one way."""
        texts = exchange(parent)
        parts = [part for part in way.parts if part in texts] or ["question"]
        asked = {part: self.turns(way.kind, text=texts[part], **way.values) for part in parts}
        requests = tuple(work.author.ask(turns, again, self.text_tokens) for turns in asked.values())
        completions: list[Completion] = yield requests
        for part, completion in zip(parts, completions, strict=True):
            label = label_of(asked[part], texts[part])
            anew = without(label, written(completion, self.longest, unwrapped, part))
            if recited(anew, asked[part]) or (label and label.casefold() in anew.casefold()):
                raise Unusable("copies_prompt_file", anew)
            compare(anew, texts[part], way.kind, part == "question", way.language)
            yield from self.same_meaning(anew, texts[part], way, work)
            texts[part] = anew
        request, completion, messages = requests[-1], completions[-1], [*lead(parent), user(texts["question"])]
        if isinstance(way, Reworded) and "answer" in texts:
            messages.append(Message(role="assistant", content=texts["answer"]))
        else:
            request = work.author.ask(opened(self.system, messages), again)
            completion = yield request
        return work.author.row(
            request,
            completion,
            work.stream,
            [parent],
            messages=messages if messages[-1].role == "assistant" else None,
            evidence=parent.evidence if isinstance(way, Reworded) else None,
            helped=[work.cast[name] for name in self.asks],
            way=way.model_dump(mode="json", exclude={"of"}),
            anew=parts,
        )

    def same_meaning(self, anew: str, before: str, way: Way, work: Work) -> Generator[Any, Any, None]:
        """Ask a model, where the recipe names one and the way must keep the meaning.

        Raises:
            Unusable: `changes_meaning`, or `unclear_judgement`.
        """
        if self.judge is None or not isinstance(way, Reworded):
            return
        if not (yield from asked_whether(work.cast[self.judge], self.prompt(SAME, parent=before, text=anew))):
            raise Unusable("changes_meaning", f"{before} -> {anew}")


def exchange(row: Row) -> dict[str, str]:
    """`question`, and `answer` where there is one: the first of a conversation, which needs no context."""
    spoken = [message for message in row.messages if message.role != "system"]
    texts = {"question": opening(row)}
    if len(spoken) > 1 and spoken[1].role == "assistant":
        texts["answer"] = spoken[1].content
    return texts
