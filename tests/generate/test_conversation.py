"""Conversations: who is asked what, what ends them, what the row tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from distill.generate.conversation import Conversation, turn_of
from distill.generate.method import Work
from distill.generate.settings import Generate, Spec
from distill.protocols import Completion, Request
from distill.rows import Message, Row, read_rows
from tests.generate.conftest import MODEL, Canned, Say, real, work

PARENT = real("How do I bake bread?")
BAKING = [
    "Mix flour and water, wait, and bake it.",
    "Why wait so long?",
    "The yeast makes gas, which takes time.",
    "And in a cold kitchen?",
]


def made(**fields: Any) -> Conversation:
    return Conversation.model_validate({"prompts": "chat", "exchanges": 3, **fields})


def up_to_three(author: Author) -> tuple[Conversation, Author]:
    """One to three exchanges, and an author whose seed draws three."""
    method = made(exchanges={"min": 1, "max": 3})
    seed = next(seed for seed in range(50) if method.exchanges.draw(seed, "exchanges", 0) == 3)
    return method, replace(author, seed=seed)


def play(
    method: Conversation, author: Author, texts: Sequence[str | tuple[str, str]], rows: Sequence[Row] = (PARENT,)
) -> Any:
    """Send these answers to the first candidate, each with its finish: the requests, and the row if there is one."""
    candidate = next(method.candidates(work(author, rows, "conversation")))
    requests: list[Request] = [next(candidate)]
    for text in texts:
        said, finish = (text, "stop") if isinstance(text, str) else text
        try:
            requests.append(candidate.send(Completion(requests[-1].key, said, finish, 1, 1)))  # type: ignore[arg-type]
        except StopIteration as stop:
            return requests, stop.value
    return requests, None


def told(request: Request) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in request.messages]


def test_the_teacher_answers_and_plays_the_user_who_asks_on(author: Author) -> None:
    requests, row = play(made(system="Be brief."), author, [*BAKING, "Then it takes a night."])
    assert told(requests[0]) == [("system", "Be brief."), ("user", "How do I bake bread?")]
    swapped = told(requests[1])
    assert swapped[-2] == ("assistant", "How do I bake bread?") and BAKING[0] in swapped[-1][1]
    assert swapped[-1][0] == "user" and swapped[0][0] == "user"
    assert told(requests[2])[1:] == [
        ("user", "How do I bake bread?"),
        ("assistant", BAKING[0]),
        ("user", "Why wait so long?"),
    ]
    assert [message.role for message in row.messages] == ["system", *["user", "assistant"] * 3]
    assert row.answer == "Then it takes a night." and row.provenance.parents == (PARENT.id,)
    assert row.provenance.sampling["exchanges"] == 3 and row.provenance.sampling["ended"] == ""
    assert row.provenance.root == PARENT.provenance.root


def test_topics_and_personas_open_a_conversation_without_data(author: Author) -> None:
    method = made(prompts=None, topics=["bread"], personas=["a baker"], exchanges=1)
    requests, row = play(method, author, ["How hot is your oven?", "About 230 degrees."])
    assert (
        "Person: a baker." in requests[0].messages[-1].content and "Subject: bread." in requests[0].messages[-1].content
    )
    assert told(requests[1]) == [("user", "How hot is your oven?")]
    assert (row.provenance.sampling["persona"], row.provenance.sampling["topic"]) == ("a baker", "bread")
    assert row.provenance.parents == ()


@pytest.mark.parametrize(
    ("turn", "reason"),
    [
        ("I'm happy to help! Here is more.", "speaks_as_assistant"),
        ("Sure! Bake it at 230 degrees.", "speaks_as_assistant"),
        ("You're welcome. Is there anything else I can do?", "speaks_as_assistant"),
        ("Thank you so much, have a nice day!", "says_goodbye"),
        ("How do I bake a bread?", "repeats_itself"),
        ("Mix flour and water, wait, and bake it.", "echoes_answer"),
        ("mix flour and water", "echoes_answer"),
        ("Can I leave it overnight, and bake in the morning? My kitchen is cold.", "copies_prompt_file"),
        ("", "empty_turn"),
        ("word " * 121, "long_turn"),
    ],
)
def test_a_turn_that_no_user_says_ends_the_conversation_before_it(author: Author, turn: str, reason: str) -> None:
    _, row = play(*up_to_three(author), [BAKING[0], turn])
    assert len(row.messages) == 2 and row.provenance.sampling["ended"] == reason
    assert row.answer == BAKING[0]
    with pytest.raises(Unusable) as caught:
        play(made(), author, [BAKING[0], turn])
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "turn", ["Thanks! And how hot is the oven?", "My kitchen is cold.", "Bread with nuts, please."]
)
def test_what_a_user_may_say(author: Author, turn: str) -> None:
    requests, _ = play(made(), author, [BAKING[0], turn])
    assert requests[-1].messages[-1].content == turn


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (("The yeast makes", "length"), "unfinished_answer"),
        (("", "stop"), "empty_answer"),
        ((BAKING[0], "stop"), "repeats_answer"),
        (("", "error"), "engine_error"),
    ],
)
def test_an_answer_nobody_can_go_on_from_ends_it_too(author: Author, answer: tuple[str, str], reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        play(made(), author, [BAKING[0], "Why wait so long?", answer])
    assert caught.value.reason == reason
    _, row = play(*up_to_three(author), [BAKING[0], "Why wait so long?", answer])
    assert row.answer == BAKING[0] and row.provenance.sampling["finish"] == "stop"
    assert (row.provenance.sampling["ended"], row.provenance.sampling["exchanges"]) == (reason, 1)


@pytest.mark.parametrize(
    ("text", "turn"),
    [
        ('The person says: "And when it rains?"', "And when it rains?"),
        ("And when it rains?\n\nThe assistant says: Then you wait.\n\nThe person says: Ah.", "And when it rains?"),
        ("Person: And when it rains?\nAssistant: Then you wait.", "And when it rains?"),
        ("My list:\n\n- rain\n- sun", "My list:\n\n- rain\n- sun"),
    ],
)
def test_what_is_read_of_a_turn(text: str, turn: str) -> None:
    assert turn_of(text) == turn


def test_another_model_may_play_the_user(author: Author) -> None:
    other = replace(author, name="clerk", origin="org/clerk@1", terms=("mit",))
    method = made(user="clerk", exchanges=2, user_temperature=0.0, user_tokens=20)
    given = Work("conversation", author, {"teacher": author, "clerk": other}, {"chat": [PARENT]})
    candidate = next(method.candidates(given))
    asked = next(candidate)
    turn = candidate.send(Completion(asked.key, BAKING[0], "stop", 1, 1))
    assert (asked.to, turn.to) == ("teacher", "clerk")
    assert (turn.sampling.temperature, turn.sampling.max_new_tokens) == (0.0, 20)
    asked = candidate.send(Completion(turn.key, BAKING[1], "stop", 1, 1))
    with pytest.raises(StopIteration) as stop:
        candidate.send(Completion(asked.key, BAKING[2], "stop", 1, 1))
    assert stop.value.value.provenance.sampling["helped"] == ["org/clerk@1"]
    assert stop.value.value.provenance.terms == ("apache-2.0", "mit", "cc-by-4.0")
    assert method.asks == ("clerk",) and made().asks == ()


def test_the_number_of_exchanges_is_drawn_by_the_seed(author: Author) -> None:
    span = made(exchanges={"min": 2, "max": 4}).exchanges
    drawn = [span.draw(author.seed, "exchanges", index) for index in range(60)]
    assert set(drawn) == {2, 3, 4}


def test_personas_are_dealt_and_a_prompts_own_system_message_stays(author: Author) -> None:
    method = made(personas=["a baker", "a nurse"], prompts=None)
    asked = [next(one).messages[-1].content for one in islice(method.candidates(work(author, [])), 6)]
    assert sum("a baker" in text for text in asked) == 3
    own = PARENT.model_copy(update={"messages": (Message(role="system", content="Be kind."), *PARENT.messages)})
    requests, _ = play(made(system="Be brief."), author, [], rows=[own])
    assert told(requests[0])[0] == ("system", "Be kind.")
    assert list(made().candidates(work(author, [real("very long " * 200)]))) == []


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"prompts": "chat", "topics": ["bread"]}, "one of the two"),
        ({}, "give `prompts`, `topics` or `personas`"),
        ({"prompts": "chat", "exchanges": {"min": 3, "max": 2}}, "min 3 is more than max 2"),
        ({"prompts": "chat", "exchanges": 0}, "greater than or equal to 1"),
    ],
)
def test_what_a_recipe_cannot_ask(fields: dict[str, Any], found: str) -> None:
    with pytest.raises(ValidationError, match=found):
        Conversation.model_validate(fields)


def test_the_stage_makes_them(split: Path, tmp_path: Path, context: Context, use: Callable[[Say], Canned]) -> None:
    def say(request: Request) -> str:
        words = request.key[:6]
        return f"And what of {words}?" if "person says" in request.messages[-1].content else f"It is {words}."

    use(say)
    generate = Generate(rows=8, methods=(made(exchanges={"min": 2, "max": 3}),))
    spec = Spec(teachers={"teacher": Teacher(model=MODEL)}, generate=generate, filter=(), seed=7)
    stage.run(spec, {"split": split}, tmp_path, context)
    rows = list(read_rows(tmp_path / "rows.jsonl"))
    assert len(rows) >= 8 and {len(row.messages) for row in rows} == {4, 6}
    assert all(row.messages[-1].role == "assistant" for row in rows)
