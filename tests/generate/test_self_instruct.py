"""New instructions: which seeds are shown, what is read from the teacher's text, what is refused and why."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest

from distill.generate.author import Author, Unusable
from distill.generate.draws import several
from distill.generate.instructions import parse
from distill.generate.method import Candidate
from distill.generate.self_instruct import SelfInstruct
from distill.protocols import Completion, Request
from distill.rows import Row, root_of
from tests.generate.conftest import real, work

SUBJECTS = ["rivers", "tides", "moss", "copper", "yeast", "glass", "wool", "storms", "maps", "bridges", "clocks"]
ROWS = [real(f"How do {subject} come about?") for subject in SUBJECTS]
METHOD = SelfInstruct(seeds="chat")


def first(author: Author, rows: list[Row] = ROWS) -> tuple[Candidate, Request]:
    candidate = next(METHOD.candidates(work(author, rows, "self_instruct")))
    return candidate, next(candidate)


def say(candidate: Candidate, request: Request, text: str, finish: str = "stop") -> Request | Row:
    try:
        return candidate.send(Completion(request.key, text, finish, 1, 1))  # type: ignore[arg-type]
    except StopIteration as stop:
        row: Row = stop.value
        return row


def test_the_instruction_is_answered_in_a_fresh_conversation(author: Author) -> None:
    candidate, request = first(author)
    question = say(candidate, request, 'Here is one:\n\n1. "Why is the sky blue?"')
    assert isinstance(question, Request)
    assert [(m.role, m.content) for m in question.messages] == [("user", "Why is the sky blue?")]
    row = say(candidate, question, "Scattering.")
    assert isinstance(row, Row)
    assert (row.question, row.answer) == ("Why is the sky blue?", "Scattering.")
    shown = [message.content for message in request.messages if message.role == "assistant"]
    parents = [row for text in shown for row in ROWS if row.question == text]
    assert row.provenance.parents == tuple(parent.id for parent in parents)
    assert row.provenance.root == parents[0].provenance.root != root_of(row.messages)
    assert (row.provenance.method, row.provenance.depth) == ("self_instruct", 1)


def test_a_system_message_is_for_the_answer_alone(author: Author) -> None:
    candidate = next(METHOD.model_copy(update={"system": "Be brief."}).candidates(work(author, ROWS, "self_instruct")))
    request = next(candidate)
    question = say(candidate, request, "Why is the sky blue?")
    assert isinstance(question, Request)
    assert request.messages[0].role == "user"
    assert [m.content for m in question.messages] == ["Be brief.", "Why is the sky blue?"]


def test_the_seeds_are_shown_as_earlier_turns_and_the_instruction_is_short(author: Author) -> None:
    _, request = first(author)
    assert [message.role for message in request.messages] == ["user", "assistant"] * 3 + ["user"]
    assert request.messages[0].content != request.messages[2].content == request.messages[-1].content
    assert request.sampling.max_new_tokens == METHOD.instruction_tokens


def test_the_draw_depends_on_seed_and_index_alone(author: Author) -> None:
    def shown(rows: list[Row], author: Author, count: int) -> list[tuple[str, ...]]:
        candidates = islice(METHOD.candidates(work(author, rows, "self_instruct")), count)
        return [tuple(m.content for m in next(candidate).messages) for candidate in candidates]

    assert shown(ROWS, author, 3) == shown(ROWS[::-1], author, 20)[:3]
    assert shown(ROWS, author, 5) != shown(ROWS, replace(author, seed=8), 5)
    assert len(set(shown(ROWS, author, 20))) > 10


def test_a_draw_has_no_row_twice_and_all_rows_when_there_are_few() -> None:
    for index in range(50):
        assert len({row.id for row in several(ROWS, 3, 0, index)}) == 3
    assert {row.id for row in several(ROWS[:2], 3, 0, 0)} == {row.id for row in ROWS[:2]}


def test_the_same_seeds_drawn_twice_are_two_requests(author: Author) -> None:
    one, two = (next(candidate) for candidate in islice(METHOD.candidates(work(author, ROWS[:1], "self_instruct")), 2))
    assert one.messages == two.messages and one.key != two.key


def test_no_seed_no_candidate(author: Author) -> None:
    assert list(METHOD.candidates(work(author, [], "self_instruct"))) == []
    assert list(METHOD.candidates(work(author, [real("very long " * 200)], "self_instruct"))) == []


@pytest.mark.parametrize(
    ("text", "instruction"),
    [
        ("What is a fjord?", "What is a fjord?"),
        ('  "What is a fjord?"  ', "What is a fjord?"),
        ("“What is a fjord?”", "What is a fjord?"),
        ("**What is a fjord?**", "What is a fjord?"),
        ("4. What is a fjord?", "What is a fjord?"),
        ("- What is a fjord?", "What is a fjord?"),
        ("Instruction: Describe a fjord.", "Describe a fjord."),
        ('New question 4: "What is a fjord?"', "What is a fjord?"),
        ("Sure! Here's another one:\n\nWhat is a fjord?", "What is a fjord?"),
        ("Another question:\nWhat is a fjord?\nI hope this helps.", "What is a fjord?"),
        ("What is a fjord?\n\nThis is a new question.", "What is a fjord?"),
        ("1. What is a fjord?\n2. What is a delta?", "What is a fjord?"),
        ("Sort these numbers:\n3 1 2", "Sort these numbers:\n3 1 2"),
        ("Sort these numbers:\n\n3 1 2\n\nGood luck!", "Sort these numbers:\n\n3 1 2"),
        ("Question:\nName a fjord.", "Name a fjord."),
        ('Explain the word "fjord"', 'Explain the word "fjord"'),
        ('"Hamlet" or "Macbeth"', '"Hamlet" or "Macbeth"'),
        ("1.5 times 3 is what?", "1.5 times 3 is what?"),
    ],
)
def test_what_is_read_from_the_text(text: str, instruction: str) -> None:
    assert parse(text) == instruction


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        ("", "stop", "empty_instruction"),
        ("...?", "stop", "empty_instruction"),
        ("1.", "stop", "empty_instruction"),
        ("word " * 121, "stop", "long_instruction"),
        ("how do RIVERS come about", "stop", "copies_seed"),
        ("Tell me of the long history of", "length", "unfinished_instruction"),
        ("", "error", "engine_error"),
    ],
)
def test_what_is_refused_and_why(author: Author, text: str, finish: str, reason: str) -> None:
    candidate, request = first(author)
    with pytest.raises(Unusable) as caught:
        say(candidate, request, text, finish)
    assert caught.value.reason == reason


def test_an_instruction_may_be_like_no_seed_and_like_none_written_before(author: Author) -> None:
    rows = [real(f"Tell me all about the history of the {place} and its people.") for place in ("Nile", "Rhine", "Po")]
    rows.append(real("word " * 130 + "How do the great rivers of the north come about in spring?"))
    candidates = METHOD.model_copy(update={"shown": 1}).candidates(work(author, rows))
    says = [
        "Tell me about all the people of the Rhine and its history.",
        "What makes the tide turn?",
        "What makes the TIDE turn?!",
    ]
    says += ["Who drew the first map of the sea?", rows[-1].question]
    reasons = []
    for text in says:
        candidate = next(candidates)
        request = next(candidate)
        try:
            say(candidate, request, text)
            reasons.append("")
        except Unusable as unusable:
            reasons.append(unusable.reason)
    assert reasons == ["copies_seed", "", "written_before", "", "long_instruction"]


def test_a_seed_that_is_shown_may_not_be_copied_with_a_word_changed(author: Author) -> None:
    rows = [real("How do the great rivers of the north come about in spring?")]
    candidate, request = first(author, rows)
    with pytest.raises(Unusable) as caught:
        say(candidate, request, "How do the great rivers of the south come about in spring?")
    assert caught.value.reason == "copies_seed" and "like: How do" in caught.value.detail
    candidate, request = first(author, rows)
    assert isinstance(say(candidate, request, "What do the great rivers carry to the sea?"), Request)


def test_talk_that_is_cut_after_a_whole_instruction_does_no_harm(author: Author) -> None:
    candidate, request = first(author)
    assert isinstance(say(candidate, request, "What is a fjord?\n\nThis question is about the", "length"), Request)


def test_the_recipe_may_say_it_in_its_own_words(author: Author) -> None:
    method = METHOD.model_copy(update={"templates": {"instruction": "Number {{ written }}, please."}})
    request = next(next(method.candidates(work(author, ROWS))))
    assert [m.content for m in request.messages if m.role == "user"] == [f"Number {n}, please." for n in range(4)]
    assert method.notes != METHOD.notes
