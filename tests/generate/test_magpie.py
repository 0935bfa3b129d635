"""The teacher as user and assistant: whose turn is asked for, how it is drawn, what is no question."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from distill.context import Context
from distill.engines.teacher import Teacher
from distill.generate import stage
from distill.generate.author import Author, Unusable
from distill.generate.magpie import Magpie, cleaned
from distill.generate.method import Candidate
from distill.generate.settings import Generate, Spec
from distill.protocols import Completion, Request
from distill.rows import Row, read_rows, root_of
from tests.generate.conftest import MODEL, Canned, Say, work


def send(candidate: Candidate, request: Request, text: str, finish: str = "stop") -> Request | Row:
    try:
        return candidate.send(Completion(request.key, text, finish, 1, 1))  # type: ignore[arg-type,no-any-return]
    except StopIteration as stop:
        row: Row = stop.value
        return row


def first(author: Author, **fields: object) -> tuple[Candidate, Request]:
    candidate = next(Magpie.model_validate(fields).candidates(work(author, [], "magpie")))
    return candidate, next(candidate)


def test_the_users_turn_is_asked_for_and_then_answered(author: Author) -> None:
    candidate, request = first(author, question_temperature=1.2)
    assert (request.turn, request.messages, request.sampling.temperature) == ("user", (), 1.2)
    question = send(candidate, request, "  Why is the sky blue? ")
    assert isinstance(question, Request)
    assert question.turn == "assistant" and question.sampling.temperature == author.sampling.temperature
    assert [message.content for message in question.messages] == ["Why is the sky blue?"]
    row = send(candidate, question, "Scattering.")
    assert isinstance(row, Row) and (row.question, row.answer) == ("Why is the sky blue?", "Scattering.")
    assert (row.provenance.method, row.provenance.parents, row.provenance.depth) == ("magpie", (), 1)
    assert row.provenance.root == root_of(row.messages)


@pytest.mark.parametrize("keep", [False, True])
def test_a_system_message_bends_the_subject_and_stays_only_if_asked(author: Author, keep: bool) -> None:
    candidate, request = first(author, systems=["You help cooks."], keep_system=keep)
    assert [message.content for message in request.messages] == ["You help cooks."]
    question = send(candidate, request, "How long do eggs boil?")
    assert isinstance(question, Request)
    assert [message.role for message in question.messages] == (["system", "user"] if keep else ["user"])
    row = send(candidate, question, "Six minutes.")
    assert isinstance(row, Row) and row.provenance.sampling["subject"] == "You help cooks."


def test_a_conversation_goes_on_until_its_questions_are_asked(author: Author) -> None:
    candidate, request = first(author, exchanges=2)
    answers = ["Why is it so?", "Because.", "And what of the other one?", "Also."]
    step: Request | Row = request
    for text in answers:
        assert isinstance(step, Request)
        step = send(candidate, step, text)
    assert isinstance(step, Row) and [message.content for message in step.messages] == answers


def test_half_an_answer_ends_the_conversation_and_says_so(author: Author) -> None:
    candidate, request = first(author, exchanges=3)
    question = send(candidate, request, "Why is it so?")
    assert isinstance(question, Request)
    row = send(candidate, question, "Because of the", "length")
    assert isinstance(row, Row) and row.provenance.sampling["finish"] == "length" and len(row.messages) == 2


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        ("", "stop", "empty_question"),
        ("...", "stop", "empty_question"),
        ("Why is the", "length", "unfinished_question"),
        ("why " * 121, "stop", "long_question"),
        ("Sure, I can help you with that.", "stop", "speaks_as_assistant"),
        ("How can I assist you today?", "stop", "speaks_as_assistant"),
        ("In 1998 the company became the first to sell it.", "stop", "asks_nothing"),
        ("Why is it so?<|im_end|>", "stop", "template_in_question"),
        ("Assistant: It scatters light.", "stop", "empty_question"),
        ("", "error", "engine_error"),
    ],
)
def test_what_is_no_question_is_refused(author: Author, text: str, finish: str, reason: str) -> None:
    candidate, request = first(author)
    with pytest.raises(Unusable) as caught:
        send(candidate, request, text, finish)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Why is the sky blue?\n\nassistant\nIt scatters light.", "Why is the sky blue?"),
        ("Why is the sky blue?\n### Response: It scatters light.", "Why is the sky blue?"),
        ("user\nWhy is the sky blue?", "Why is the sky blue?"),
        ("Fill in the form:\nName: Ada\nAnswers wanted: two", "Fill in the form:\nName: Ada\nAnswers wanted: two"),
    ],
)
def test_what_others_say_after_it_is_cut(text: str, question: str) -> None:
    assert cleaned(text) == question


def test_a_question_is_asked_once_in_a_conversation(author: Author) -> None:
    candidate, request = first(author, exchanges=2)
    question = send(candidate, request, "Why is the sky blue?")
    assert isinstance(question, Request)
    request_ = send(candidate, question, "Scattering.")
    assert isinstance(request_, Request)
    with pytest.raises(Unusable, match="repeats_question"):
        send(candidate, request_, "why is the sky blue")


def test_the_stage_makes_them(split: Path, tmp_path: Path, context: Context, use: Callable[[Say], Canned]) -> None:
    use(lambda request: f"Why is it {request.key[:6]}?" if request.turn == "user" else "Scattering.")
    generate = Generate(rows=8, methods=(Magpie(),))
    spec = Spec(teachers={"teacher": Teacher(model=MODEL)}, generate=generate, filter=(), seed=7)
    stage.run(spec, {"split": split}, tmp_path, context)
    rows = list(read_rows(tmp_path / "rows.jsonl"))
    assert len(rows) >= 8 and len({row.question for row in rows}) == len(rows)


def test_candidates_differ_by_their_noise_and_the_first_stay_the_first(author: Author) -> None:
    method = Magpie(systems=("a", "b", "c"))
    requests = [next(one) for one in islice(method.candidates(work(author, [], "magpie")), 20)]
    assert len({request.key for request in requests}) == 20
    assert {request.messages[0].content for request in requests} == {"a", "b", "c"}
    again = [next(one) for one in islice(method.candidates(work(author, [], "magpie")), 5)]
    assert [request.key for request in again] == [request.key for request in requests[:5]]
