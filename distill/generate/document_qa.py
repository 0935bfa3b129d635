"""document_qa: the teacher asks about a sentence of a passage, then answers from the passage, which is kept as evidence.

Every question is about another sentence, so that no two are the same request. The row is the question alone, as if from
memory, or with the passage before it. The prompt files show an example as the teacher's own earlier turn: a 135M model
follows that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from distill import grounding
from distill.evidence import PASSAGE, TITLE
from distill.generate.author import Unusable, opened, user, whole
from distill.generate.instructions import written
from distill.generate.method import Candidate, MethodSpec, Work
from distill.protocols import Completion
from distill.rows import Message, Row, digest, normalise
from distill.sources.passages import sentences, size

SHORT = 6
"""Words of a sentence that is worth a question."""
ON_SUBJECT = 0.5
"""Share of a question's words that must stand in its passage or title."""
LONGEST = 60
"""Most words of a question."""


class DocumentQA(MethodSpec):
    kind: Literal["document_qa"] = "document_qa"
    documents: str
    """Name under `real` of texts; each of its passages is asked about."""
    questions: int = Field(3, ge=1)
    """Questions about one passage (not: one document) at most, each about another sentence; the second is asked only
    when every passage was asked about once."""
    with_passage: bool = False
    """The passage stands before the question in the row. Without it the student learns to answer from memory, and a
    question that points at a text is dropped."""
    system: str | None = None
    """System message of the rows."""
    support: float = Field(0.6, ge=0, le=1)
    """Least share of what an answer adds to its question, in words of meaning and numbers, that stands in the passage."""
    question_tokens: int = Field(64, gt=0)
    """Most tokens of a question; one that is longer is cut and counted as a failure."""

    FILES: ClassVar = ("question", "answer", "with_passage")
    SCORES: ClassVar = ("support",)
    TAKES: ClassVar = frozenset({"text"})

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.documents,)

    def candidates(self, work: Work) -> Iterator[Candidate]:
        """Every passage once, in the order of its hash with the seed; then every passage a second time, …"""
        for passage, sentence in asked_about(work.rows[self.documents], work.author.seed, self.questions):
            yield self.candidate(passage, sentence, work)

    def candidate(self, passage: Row, sentence: str, work: Work) -> Candidate:
        author = work.author
        shown = {"title": title(passage), "passage": passage.answer}
        completion: Completion = yield author.ask(
            self.turns("question", **shown, sentence=sentence), 0, self.question_tokens
        )
        question = written(completion, LONGEST, what="question")
        self.check_question(question, passage)
        request = author.ask(self.turns("answer", **shown, question=question))
        completion = yield request
        answer = self.read_answer(completion, question, passage)
        told = self.prompt("with_passage", **shown, question=question) if self.with_passage else question
        return author.row(
            request,
            completion,
            work.stream,
            [passage],
            messages=[*opened(self.system, [user(told)]), Message(role="assistant", content=answer)],
            evidence={PASSAGE: passage.answer},
            scores={"support": round(support(without_lead(answer), question, passage), 4)},
        )

    def check_question(self, question: str, passage: Row) -> None:
        """Refuse what is no question about this passage that can be asked without it.

        Raises:
            Unusable: `no_question`, `points_at_passage` or `off_passage`.
        """
        if not re.search(r"[?？]\W*$", question) or question.count("?") > 1:
            raise Unusable("no_question", question)
        if not self.with_passage and (grounding.POINTS.search(question) or grounding.vague(question)):
            raise Unusable("points_at_passage", question)
        if grounding.support(grounding.terms(question), passage.answer, title(passage)) < ON_SUBJECT:
            raise Unusable("off_passage", question)

    def read_answer(self, completion: Completion, question: str, passage: Row) -> str:
        """The answer, if it is one and stands in the passage.

        Raises:
            Unusable: see `whole`; `not_in_passage`, `asks_back`, `points_at_passage`, `made_up_number`, `adds_nothing` or
                `unsupported`.
        """
        answer = whole(completion, "answer").strip()
        if grounding.NOT_SAID.search(answer):
            raise Unusable("not_in_passage", f"{question} -> {answer}")
        if answer.endswith("?") or normalise(answer) == normalise(question):
            raise Unusable("asks_back", f"{question} -> {answer}")
        if not self.with_passage:
            answer = without_lead(answer)
            if grounding.POINTS.search(answer):
                raise Unusable("points_at_passage", f"{question} -> {answer}")
        if numbers := grounding.made_up(answer, f"{title(passage)} {passage.answer}"):
            raise Unusable("made_up_number", f"{', '.join(sorted(numbers))}: {question} -> {answer}")
        share = support(without_lead(answer), question, passage)
        if not grounding.terms(answer) - grounding.terms(question):
            raise Unusable("adds_nothing", f"{question} -> {answer}")
        if share < self.support:
            raise Unusable("unsupported", f"{share:.2f}: {question} -> {answer}")
        return answer


def title(passage: Row) -> str:
    """What its document is called; empty where the data set names no `title`."""
    return passage.evidence.get(TITLE, "")


def support(answer: str, question: str, passage: Row) -> float:
    """The share of what an answer adds to its question that stands in the passage: what it repeats proves nothing."""
    return grounding.support(grounding.terms(answer) - grounding.terms(question), passage.answer, title(passage))


def asked_about(rows: Sequence[Row], seed: int, questions: int) -> Iterator[tuple[Row, str]]:
    """Passages with the sentence that is asked about: all passages once, then all a second time as long as they have
    sentences, …"""
    passages = sorted(
        {row.id: row for row in rows if row.kind == "text"}.values(), key=lambda row: digest([seed, row.id])
    )
    worth: dict[str, list[str]] = {}
    for row in passages:
        found = dict.fromkeys(one for one in sentences(row.answer) if size(one) >= SHORT and one[-1] in '.!?…。！？"”)')
        worth[row.id] = sorted(found, key=lambda sentence: digest([seed, row.id, sentence]))
    for turn in range(questions):
        for row in passages:
            if turn < len(worth[row.id]):
                yield row, worth[row.id][turn]


def without_lead(answer: str) -> str:
    """An answer without "According to the text," before it."""
    bare = grounding.LEAD.sub("", answer)
    return bare[:1].upper() + bare[1:] if bare != answer else answer
