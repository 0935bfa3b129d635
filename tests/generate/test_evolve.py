"""Evolved prompts: what is asked, what is eliminated and why, what the row tells of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.context import Context
from distill.engines.teacher import Teacher
from distill.generate import stage
from distill.generate.author import Author, Unusable
from distill.generate.evolve import BREADTH, DEPTH, Evolve, check
from distill.generate.settings import Generate, Spec
from distill.protocols import Completion, Request
from distill.rows import Message, Row, read_rows
from tests.generate.conftest import MODEL, Canned, Say, real, work

PARENT = real("How do rivers come about?")
HARDER = "How do rivers come about, and why do some of them vanish in summer?"
ONE = Evolve(prompts="chat", operations=("deepen",), tries=1)


def play(method: Evolve, author: Author, *texts: str | tuple[str, str], rows: tuple[Row, ...] = (PARENT,)) -> Any:
    """Send these answers to the first candidate, each with its finish: the requests, and the row if there is one."""
    candidate = next(method.candidates(work(author, rows, "evolve")))
    requests: list[Request] = [next(candidate)]
    for text in texts:
        said, finish = (text, "stop") if isinstance(text, str) else text
        try:
            requests.append(candidate.send(Completion(requests[-1].key, said, finish, 1, 1)))  # type: ignore[arg-type]
        except StopIteration as stop:
            return requests, stop.value
    return requests, None


def failure(method: Evolve, author: Author, *texts: str | tuple[str, str]) -> Unusable:
    with pytest.raises(Unusable) as caught:
        play(method, author, *texts)
    return caught.value


def test_a_prompt_is_evolved_and_answered_in_a_fresh_conversation(author: Author) -> None:
    requests, row = play(ONE, author, f'Sure, here it is:\n\n"{HARDER}"\n\nI hope this helps!', "Rain and drought.")
    assert requests[0].messages[-1].content.endswith("How do rivers come about?")
    assert [message.role for message in requests[0].messages[:2]] == ["user", "assistant"]
    assert [message.content for message in requests[1].messages] == [HARDER]
    assert (row.question, row.answer) == (HARDER, "Rain and drought.")
    provenance = row.provenance
    assert (provenance.parents, provenance.root) == ((PARENT.id,), PARENT.provenance.root)
    told = {name: provenance.sampling[name] for name in ("operations", "evolved_from", "eliminated")}
    assert told == {"operations": ["deepen"], "evolved_from": [], "eliminated": []}


def test_steps_go_on_from_what_the_step_before_made(author: Author) -> None:
    further = HARDER.replace("summer", "a dry summer in Namibia")
    method = Evolve(prompts="chat", operations=("deepen",), steps=2)  # type: ignore[arg-type]
    requests, row = play(method, author, HARDER, further, "Rain.")
    assert requests[1].messages[-1].content.endswith(HARDER)
    assert row.question == further
    assert row.provenance.sampling["evolved_from"] == [HARDER]
    assert row.provenance.sampling["operations"] == ["deepen", "deepen"]


def test_what_is_eliminated_is_tried_again_by_the_next_operation(author: Author) -> None:
    method = Evolve(prompts="chat", operations=("deepen", "constraints"), tries=2)
    requests, row = play(method, author, "How do rivers come about?", HARDER, "Rain.")
    assert requests[0].messages[0] != requests[1].messages[0]
    assert row.provenance.sampling["eliminated"] == ["adds_nothing"]
    same = Evolve(prompts="chat", operations=("deepen",), tries=2)
    requests, _ = play(same, author, "How do rivers come about?")
    assert requests[0].messages == requests[1].messages and requests[0].key != requests[1].key


def test_the_last_reason_stands_for_a_prompt_that_does_not_evolve(author: Author) -> None:
    method = Evolve(prompts="chat", operations=("deepen",), tries=2)
    found = failure(method, author, "How do rivers come about?", "I'm sorry, but I can't help with that.")
    assert found.reason == "refuses_to_evolve"
    assert "How do rivers come about?" in found.detail and "adds_nothing, refuses_to_evolve" in found.detail


@pytest.mark.parametrize(
    ("evolved", "finish", "reason"),
    [
        ("", "stop", "empty_instruction"),
        (HARDER, "length", "unfinished_instruction"),
        ("how do  RIVERS come about", "stop", "adds_nothing"),
        ("How do the rivers come about?", "stop", "adds_nothing"),
        ("Here is the rewritten prompt about rivers: how?", "stop", "copies_prompt_file"),
        ("Write nothing but the new text about rivers.", "stop", "copies_prompt_file"),
        ("How do plants grow, and why do some need much less light than others?", "stop", "copies_prompt_file"),
        ("I'm sorry, but I cannot provide more on rivers.", "stop", "refuses_to_evolve"),
        ("Rivers come about by rain that runs down from the hills.", "stop", "asks_nothing"),
        ("How do rivers come about in a desert? Because it rains.", "stop", "answers_itself"),
        ("Which animal is in most rivers? A trout.", "stop", "answers_itself"),
        ("What is the best way to cook an egg?", "stop", "loses_subject"),
        ("How can I help you with rivers today?", "stop", "speaks_as_assistant"),
        ("word " * 251, "stop", "long_instruction"),
        ("", "error", "engine_error"),
    ],
)
def test_which_evolutions_are_eliminated(author: Author, evolved: str, finish: str, reason: str) -> None:
    assert failure(ONE, author, (evolved, finish)).reason == reason


@pytest.mark.parametrize(
    ("prompt", "evolved", "operation"),
    [
        ("What do people read?", "What do people read, and why?", "deepen"),
        ("Name a river.", "Compare two rivers by their length.", "reasoning"),
        ("你喜欢什么河流?", "你喜欢什么河流,为什么?", "deepen"),
        ("¿Cómo nace un río?", "¿Cómo nace un río en el desierto?", "concretise"),
        ("Name a river.", "Which river is this? A small one that runs dry in summer and has no name.", "input"),
        ("Is it?", "Is it, and since when?", "deepen"),
        ("Explain the given prompt.", "Explain the given prompt in three steps.", "constraints"),
        ("You are a fool.", "You are a fool with a hat.", "concretise"),
    ],
)
def test_which_are_not(prompt: str, evolved: str, operation: str) -> None:
    check(evolved, prompt, operation)


def test_in_breadth_the_subject_may_go_and_the_words_must() -> None:
    check("Why do glaciers calve?", PARENT.question, BREADTH)
    with pytest.raises(Unusable, match="adds_nothing"):
        check("How do the rivers come about so?", "How do the rivers come about?", BREADTH)


def test_a_label_of_the_prompt_file_is_taken_off_and_is_a_leak_elsewhere(author: Author) -> None:
    requests, _ = play(ONE, author, f"Deeper: {HARDER}")
    assert requests[1].messages[0].content == HARDER
    method = Evolve(prompts="chat", operations=("mine",), templates={"mine": "In other seasons: {{ prompt }}"}, tries=1)
    assert failure(method, author, f"{HARDER} In other seasons: how?").reason == "copies_prompt_file"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("I'm sorry, but I can't assist with that.", "refused_answer"),
        ("It is what it is.", "says_nothing"),
        ("...", "says_nothing"),
        ("", "empty_answer"),
    ],
)
def test_what_cannot_be_answered_is_dropped(author: Author, answer: str, reason: str) -> None:
    assert failure(ONE, author, HARDER, answer).reason == reason


def test_a_long_answer_that_begins_with_an_apology_is_one(author: Author) -> None:
    _, row = play(ONE, author, HARDER, "I'm sorry, but I can't say it in short. " + "Rain falls on hills. " * 30)
    assert row is not None


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [("Equal.", "judged_equal"), ("They are the same.", "judged_equal"), ("Perhaps.", "unclear_judgement")],
)
def test_a_model_may_judge_that_nothing_was_added(author: Author, verdict: str, reason: str) -> None:
    judged = ONE.model_copy(update={"equality": "teacher"})
    assert failure(judged, author, HARDER, verdict).reason == reason
    requests, row = play(judged, author, HARDER, "**Not equal**: the second asks for more.", "Rain.")
    assert PARENT.question in requests[1].messages[0].content and HARDER in requests[1].messages[0].content
    assert requests[1].sampling.temperature == 0
    assert row.provenance.sampling["helped"] == [author.origin]


def test_operations_are_drawn_evenly_and_by_the_seed(author: Author) -> None:
    method = Evolve(prompts="chat")
    first = [next(one).messages[0].content for one in islice(method.candidates(work(author, [PARENT])), 12)]
    assert len(set(first)) == len((*DEPTH, BREADTH)) and all(first.count(text) == 2 for text in first)
    other = replace(author, seed=8)
    assert first != [next(one).messages[0].content for one in islice(method.candidates(work(other, [PARENT])), 12)]


def test_every_prompt_comes_before_any_comes_again(author: Author) -> None:
    rows = [real(f"What about subject {number}?") for number in range(5)]
    asked = [
        next(one).messages[-1].content for one in islice(Evolve(prompts="chat").candidates(work(author, rows)), 10)
    ]
    subjects = [text.rpartition(": ")[2] for text in asked]
    assert len(set(subjects[:5])) == 5 and subjects[:5] == subjects[5:]


def test_a_prompts_own_system_message_stays_and_long_prompts_are_left(author: Author) -> None:
    own = PARENT.model_copy(update={"messages": (Message(role="system", content="Be kind."), *PARENT.messages)})
    requests, _ = play(ONE.model_copy(update={"system": "Be brief."}), author, HARDER, rows=(own,))
    assert [message.content for message in requests[1].messages] == ["Be kind.", HARDER]
    assert list(ONE.candidates(work(author, [real("very long " * 200)]))) == []


def test_an_operation_is_known_or_has_a_text() -> None:
    with pytest.raises(ValidationError, match="no operation 'dream'"):
        Evolve(prompts="chat", operations=("dream",))
    with pytest.raises(ValidationError, match="no template 'dream'"):
        Evolve(prompts="chat", templates={"dream": "x"})


def test_the_stage_makes_them(split: Path, tmp_path: Path, context: Context, use: Callable[[Say], Canned]) -> None:
    def say(request: Request) -> str:
        asked = request.messages[-1].content
        return (
            f"{asked.partition(': ')[2]} And why is number {request.sample} blue?"
            if len(request.messages) > 1
            else "Rain."
        )

    use(say)
    generate = Generate(rows=10, methods=(Evolve(prompts="chat", operations=("deepen",)),))
    spec = Spec(teachers={"teacher": Teacher(model=MODEL)}, generate=generate, filter=(), seed=7)
    stage.run(spec, {"split": split}, tmp_path, context)
    rows = list(read_rows(tmp_path / "rows.jsonl"))
    assert len(rows) >= 10 and all("blue" in row.question and row.provenance.method == "evolve" for row in rows)
