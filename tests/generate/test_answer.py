"""The prompts that answer asks, their order and their context."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distill.generate.answer import Answer, BestOf
from distill.generate.author import Author, Unusable
from distill.generate.method import Scored
from distill.protocols import Completion, Request
from distill.rows import Message, Row
from tests.generate.conftest import real, work

ROWS = [real(f"Question {i}?") for i in range(12)]


def asked(method: Answer, rows: list[Row], author: Author) -> list[Request]:
    return [next(candidate) for candidate in method.candidates(work(author, rows))]


def questions(requests: list[Request]) -> list[str]:
    return [request.messages[-1].content for request in requests]


def test_each_distinct_prompt_is_asked_once_in_an_order_of_seed_and_content(author: Author) -> None:
    method = Answer(prompts="chat")
    again = real("Question 3?", "another answer to the same prompt")
    order = questions(asked(method, [*ROWS, again], author))
    assert sorted(order) == sorted(row.question for row in ROWS)
    assert questions(asked(method, ROWS[::-1], author)) == order
    assert questions(asked(method, ROWS, replace(author, seed=8))) != order


def test_what_was_asked_first_stays_first_when_prompts_are_added(author: Author) -> None:
    method = Answer(prompts="chat")
    few, many = questions(asked(method, ROWS[:6], author)), questions(asked(method, ROWS, author))
    assert [question for question in many if question in few] == few


def test_a_second_sample_comes_after_every_prompt_was_asked_once(author: Author) -> None:
    requests = asked(Answer(prompts="chat", samples=2), ROWS, author)
    assert [request.sample for request in requests] == [0] * 12 + [1] * 12
    assert questions(requests[:12]) == questions(requests[12:])
    assert len({request.key for request in requests}) == 24


def test_turns_before_the_question_are_kept_and_the_answer_is_not(author: Author) -> None:
    turns = [("user", "Hi"), ("assistant", "Hello"), ("user", "Why?"), ("assistant", "secret")]
    row = ROWS[0].model_copy(update={"messages": tuple(Message(role=r, content=c) for r, c in turns)})  # type: ignore[arg-type]
    (request,) = asked(Answer(prompts="chat"), [row], author)
    assert [message.content for message in request.messages] == ["Hi", "Hello", "Why?"]


def test_a_system_message_is_put_before_prompts_that_have_none(author: Author) -> None:
    own = ROWS[0].model_copy(update={"messages": (Message(role="system", content="own"), *ROWS[0].messages)})
    requests = asked(Answer(prompts="chat", system="Be brief."), [own, ROWS[1]], author)
    assert sorted(request.messages[0].content for request in requests) == ["Be brief.", "own"]
    assert all(request.messages[1].role == "user" for request in requests)


def test_the_row_is_the_prompt_with_the_answer(author: Author) -> None:
    (candidate,) = Answer(prompts="chat").candidates(work(author, [ROWS[0]]))
    request = next(candidate)
    try:
        candidate.send(Completion(request.key, "Thus.", "stop", 1, 1))
    except StopIteration as stop:
        row: Row = stop.value
    assert (row.question, row.answer, row.provenance.parents) == ("Question 0?", "Thus.", (ROWS[0].id,))


def test_of_several_answers_the_likeliest_that_ended_is_kept(author: Author) -> None:
    method = Answer(prompts="chat", best_of=BestOf(answers=3, by="teacher"))
    candidate = next(method.candidates(work(author, ROWS[:1])))
    requests = next(candidate)
    assert [request.sample for request in requests] == [0, 1, 2]
    said = [("cut", "length"), ("good", "stop"), ("bad", "stop")]
    scores = candidate.send([Completion(r.key, t, f, 1, 1) for r, (t, f) in zip(requests, said, strict=True)])  # type: ignore[arg-type]
    assert [score.messages[-1].content for score in scores] == ["good", "bad"]
    with pytest.raises(StopIteration) as stop:
        candidate.send([Scored(-0.5, 3), Scored(-1.5, 3)])
    row = stop.value.value
    assert row.answer == "good" and row.scores == {"best_of_logprob": -0.5}
    assert row.provenance.sampling["sample"] == 1 and row.provenance.sampling["best_of"] == 3


def test_best_of_nothing_is_a_failure(author: Author) -> None:
    method = Answer(prompts="chat", best_of=BestOf(answers=2, by="teacher"))
    candidate = next(method.candidates(work(author, ROWS[:1])))
    requests = next(candidate)
    with pytest.raises(Unusable) as caught:
        candidate.send([Completion(request.key, "cut", "length", 1, 1) for request in requests])
    assert caught.value.reason == "no_answer_ended"
