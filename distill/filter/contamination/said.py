"""a row, or a record of a benchmark -> what is said in it, each text with its terms: what contamination compares.

    asked     what the user says, turn by turn; of a text that is no conversation, the text
    answers   what the assistant said, or might have said
    others    thoughts, passages, reference answers, what tools said

System messages are left out: they are the same in many rows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from distill.evidence import CHECKS, QUESTION, RIGHT, TITLE
from distill.rows import Row
from distill.words import terms

SILENT = frozenset({TITLE, QUESTION, RIGHT, CHECKS})
"""Evidence that gives nothing away, or that is looked for as what it is."""
_SENTENCES = re.compile(r"[.!?:;\n\r\"“”«»()\[\]。！？：；]+")
Sentence = tuple[str, ...]


@dataclass(frozen=True)
class Said:
    """One text. What takes long is worked out when it is first asked for, and once."""

    text: str
    terms: list[str]

    @property
    def key(self) -> str:
        """The same for texts that differ in case, spacing and punctuation only; of one without a word, its signs."""
        return " ".join(self.terms) or self.text.strip()

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        return frozenset(self.terms)

    @cached_property
    def sentences(self) -> list[Sentence]:
        """The terms of each sentence, line or quotation."""
        return [tuple(found) for part in _SENTENCES.split(self.text) if (found := terms(part))]

    @cached_property
    def _places(self) -> dict[Sentence, list[int]]:
        """Where each sentence stands."""
        places: dict[Sentence, list[int]] = defaultdict(list)
        for place, sentence in enumerate(self.sentences):
            places[sentence].append(place)
        return dict(places)

    def holds(self, other: Said) -> bool:
        """Whether the sentences of another text stand in it, one after the other."""
        few = other.sentences
        places = self._places.get(few[0], ()) if few else ()
        return any(self.sentences[place : place + len(few)] == few for place in places)


class Texts(NamedTuple):
    asked: list[Said]
    answers: list[Said]
    others: list[Said]
    is_text: bool
    """No conversation: what is asked and what is answered are one."""

    @property
    def each(self) -> Iterator[tuple[Said, bool]]:
        """Every text once, and whether it is asked."""
        yield from ((said, True) for said in self.asked)
        yield from ((said, False) for said in (*(() if self.is_text else self.answers), *self.others))

    def questions(self, least: int) -> Iterator[str]:
        """Keys of what counts as a question: all that the user had said at each turn, and a later turn alone if it has
        so many words. "why?" is not the question that an evaluated "why?" was."""
        before = ""
        for place, said in enumerate(self.asked):
            before = f"{before}\n{said.key}" if place else said.key
            if before.strip():
                yield before
            if place and len(said.terms) >= least:
                yield said.key


def said(text: str) -> Said:
    return Said(text, terms(text))


def of_row(row: Row, evidence: bool = False) -> Texts:
    """What a row says; with `evidence` what its check needs too, which nobody is trained on."""
    is_text = row.kind == "text"
    asked: list[Said] = []
    answers: list[Said] = []
    others: list[Said] = []
    places = {"user": asked, "assistant": answers, "tool": others}
    for message in (*row.messages, *row.rejected):
        if message.role in places:
            places[message.role].append(said(message.content))
        if message.reasoning:
            others.append(said(message.reasoning))
    if evidence:
        others += [said(text) for name, text in row.evidence.items() if name not in SILENT]
        if own := row.evidence.get(QUESTION):
            # What an item is asked with (instructions, examples) is the same in all of a suite, and gives nothing away.
            asked, answers = [said(own)], answers[-1:] if row.answer else []
    return Texts(answers if is_text else asked, answers, others, is_text)
