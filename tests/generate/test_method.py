"""What a teacher's row says of where it came from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distill.generate.author import Author, Unusable
from distill.protocols import Completion
from distill.rows import Message
from tests.generate.conftest import real

ASK = [Message(role="user", content="Why?")]


def completion(author: Author, text: str, finish: str = "stop", error: str | None = None) -> Completion:
    return Completion(author.ask(ASK).key, text, finish, 3, 4, error=error)  # type: ignore[arg-type]


def test_a_row_tells_its_whole_origin(author: Author) -> None:
    parents = [real("Why?"), real("How?", terms=("mit", "cc-by-4.0"))]
    row = author.row(author.ask(ASK, sample=2), completion(author, "Because."), "answer", parents, note="x")
    told = row.provenance
    assert (told.source, told.origin, told.method) == ("teacher", "org/teacher@abc", "answer")
    assert told.root == parents[0].provenance.root
    assert told.parents == tuple(parent.id for parent in parents)
    assert told.depth == 1
    assert told.terms == ("apache-2.0", "cc-by-4.0", "mit")
    assert told.sampling == {
        "temperature": 0.7,
        "top_p": 1.0,
        "top_k": 0,
        "max_new_tokens": 256,
        "seed": 7,
        "sample": 2,
        "template": "template-hash",
        "engine": "canned",
        "note": "x",
        "finish": "stop",
    }
    assert row.answer == "Because." and row.question == "Why?"


def test_depth_is_one_more_than_the_deepest_of_teacher_and_parents(author: Author) -> None:
    shallow = real("Why?")
    deep = author.row(author.ask(ASK), completion(author, "Because."), "answer", [shallow])
    assert author.row(author.ask(ASK), completion(author, "So."), "evolve", [shallow, deep]).provenance.depth == 2
    student = replace(author, depth=3)
    assert student.row(student.ask(ASK), completion(author, "So."), "answer", [deep]).provenance.depth == 4


def test_terms_that_nobody_knows_stay_visible(author: Author) -> None:
    row = replace(author, terms=()).row(author.ask(ASK), completion(author, "So."), "answer", [real("Why?")])
    assert row.provenance.terms == ("unknown", "cc-by-4.0")
    row = author.row(author.ask(ASK), completion(author, "So."), "answer", [real("Why?", terms=())])
    assert row.provenance.terms == ("apache-2.0", "unknown")


def test_a_truncated_answer_is_a_row_that_says_so(author: Author) -> None:
    row = author.row(author.ask(ASK), completion(author, "Because of", "length"), "answer", [real("Why?")])
    assert row.provenance.sampling["finish"] == "length"


@pytest.mark.parametrize(("text", "finish", "reason"), [("", "error", "engine_error"), (" \n", "stop", "empty_answer")])
def test_no_answer_is_a_failure_with_its_reason(author: Author, text: str, finish: str, reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        author.row(author.ask(ASK), completion(author, text, finish, "out of memory"), "answer", [real("Why?")])
    assert caught.value.reason == reason
    assert caught.value.detail == ("out of memory" if finish == "error" else "finish: stop")


def test_an_instruction_may_be_held_shorter_than_an_answer_but_never_longer(author: Author) -> None:
    assert author.ask(ASK, max_new_tokens=64).sampling.max_new_tokens == 64
    assert author.ask(ASK, max_new_tokens=999).sampling.max_new_tokens == 256
