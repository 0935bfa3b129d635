"""The protocol alone: what is sent for a request, and what replies of real servers mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from distill.engines.openai import Dialect, Unreadable
from distill.engines.template import Opening
from distill.errors import TemplateError
from distill.protocols import Completion, Request, Sampling
from distill.rows import Message
from tests.engines.fake import ask, said

FORM = json.dumps({"type": "object", "properties": {"a": {"type": "string"}}})


def opening(messages: tuple[Message, ...]) -> Opening:
    if any(message.role == "system" for message in messages):
        raise TemplateError("no system messages")
    return Opening("<user>", [1], ("</user>",), frozenset({7}))


class Spoken:
    """A dialect with what it said."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.dialect = Dialect("org/t", opening, False, self.lines.append)

    def fields(self, request: Request, *without: str) -> dict[str, Any]:
        sent: dict[str, Any] = json.loads(self.dialect.question(request, frozenset(without)).body)
        return sent

    def read(self, body: bytes | dict[str, Any], request: Request | None = None) -> Completion:
        request = request or ask("Q")
        whole = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.dialect.read(request, self.dialect.question(request), whole)


@pytest.fixture
def spoken() -> Spoken:
    return Spoken()


def test_a_form_is_held_to_by_the_server(spoken: Spoken) -> None:
    sent = spoken.fields(Request(ask("Q").messages, Sampling(), schema=FORM))
    assert sent["response_format"]["type"] == "json_schema"
    assert sent["response_format"]["json_schema"] == {"name": "answer", "schema": json.loads(FORM), "strict": True}
    assert "response_format" not in spoken.fields(ask("Q"))


def test_greedy_answers_draw_nothing(spoken: Spoken) -> None:
    assert spoken.fields(ask("Q", temperature=0, max_new_tokens=5)) == {
        "model": "org/t",
        "messages": [{"role": "user", "content": "Q"}],
        "temperature": 0,
        "max_tokens": 5,
    }


def test_text_goes_on_as_it_is(spoken: Spoken) -> None:
    request = Request(ask("Once upon").messages, Sampling(), turn="text")
    question = spoken.dialect.question(request)
    assert (question.path, json.loads(question.body)["prompt"]) == ("completions", "Once upon")
    reply = {"choices": [{"text": " a time</think>", "finish_reason": "length"}], "usage": {"completion_tokens": 2}}
    assert spoken.read(reply, request).text == " a time</think>"


def test_the_users_turn_is_opened_and_ended_by_the_template(spoken: Spoken) -> None:
    request = Request((), Sampling(), turn="user")
    question = spoken.dialect.question(request)
    sent = json.loads(question.body)
    assert question.path == "completions"
    assert (sent["prompt"], sent["stop"], sent["stop_token_ids"]) == ("<user>", ["</user>"], [7])
    reply = {"choices": [{"text": " What now? ", "finish_reason": "stop"}]}
    assert (spoken.read(reply, request).text, spoken.read(reply, request).finish) == ("What now?", "stop")
    with pytest.raises(TemplateError):
        spoken.dialect.question(Request((Message(role="system", content="S"),), Sampling(), turn="user"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Unrecognized request argument supplied: top_k", "top_k"),
        ('{"detail":[{"loc":["body","seed"],"msg":"Extra inputs are not permitted"}]}', "seed"),
        ("Unexpected fields in the request: {'min_p'}", "min_p"),
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "max_tokens"),
        ("Invalid schema for response_format", "response_format"),
        ("this request cannot be served", "response_format"),
    ],
)
def test_a_refused_field_is_found_and_left_out_from_then_on(spoken: Spoken, text: str, name: str) -> None:
    request = Request(ask("Q").messages, Sampling(), schema=FORM)
    assert spoken.dialect.spare(spoken.dialect.question(request), text) == name
    again = spoken.dialect.question(request, frozenset({name}))
    sent = json.loads(again.body)
    assert name not in sent
    assert sent.get("max_completion_tokens") == (256 if name == "max_tokens" else None)
    assert name in spoken.fields(request), "it has not been proved yet that this was the reason"
    spoken.dialect.read(request, again, said("{}")[2])
    assert name not in spoken.fields(request)
    spoken.dialect.read(request, again, said("{}")[2])
    assert len(spoken.lines) == 1 and "org/t" in spoken.lines[0]


def test_a_refusal_that_names_nothing_is_the_requests_own(spoken: Spoken) -> None:
    assert spoken.dialect.spare(spoken.dialect.question(ask("Q")), "5000 tokens exceed the context") is None
    asked = Request(ask("Q").messages, Sampling(top_k=5))
    assert spoken.dialect.spare(spoken.dialect.question(asked), "top_k is unknown") is None


@pytest.mark.parametrize(
    ("finish", "meant"),
    [("stop", "stop"), ("eos_token", "stop"), ("STOP", "stop"), ("end_turn", "stop"), ("stop_sequence", "stop"),
     ("length", "length"), ("MAX_TOKENS", "length"), ("model_length", "length"),
     ("content_filter", "error"), ("tool_calls", "error"), ("repetition", "error")],
)  # fmt: skip
def test_words_for_how_it_ended(spoken: Spoken, finish: str, meant: str) -> None:
    completion = spoken.read(said("A", finish)[2])
    assert completion.finish == meant
    assert (completion.text, completion.error is None) == (("A", True) if meant != "error" else ("", False))


@pytest.mark.parametrize("finish", ["abort", "error", "insufficient_system_resource", None])
def test_what_the_server_broke_off_is_no_answer(spoken: Spoken, finish: str | None) -> None:
    with pytest.raises(Unreadable, match=f"broke the answer off .*{finish}"):
        spoken.read(said("half an ans", finish)[2])


def test_words_that_are_not_in_the_content(spoken: Spoken) -> None:
    assert spoken.read(said(None, refusal="I will not.")[2]).text == "I will not."
    pieces = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "A"}]
    completion = spoken.read(said(pieces)[2])  # type: ignore[arg-type]
    assert (completion.text, completion.reasoning) == ("A", "hm")
    silent = spoken.read(said(None, "stop", reasoning_content="hm, and then")[2])
    assert (silent.finish, silent.text, silent.reasoning) == ("length", "", "hm, and then")


def test_the_first_of_several_choices_is_taken(spoken: Spoken) -> None:
    choices = [{"message": {"content": text}, "finish_reason": "stop"} for text in "ab"]
    assert spoken.read({"choices": choices}).text == "a"


def chunks(*pieces: dict[str, Any], end: bytes = b"data: [DONE]\n\n") -> bytes:
    return b": ping\n\n" + b"".join(b"data: " + json.dumps(piece).encode() + b"\n\n" for piece in pieces) + end


def test_a_server_that_streams_unasked(spoken: Spoken) -> None:
    pieces: list[dict[str, Any]] = [
        {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
        {"choices": [{"delta": {"reasoning_content": "hm"}}]},
        {"choices": [{"delta": {"content": "An "}}]},
        {"choices": [{"delta": {"content": "answer"}}]},
        {"choices": [{"delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 4}},
    ]
    completion = spoken.read(chunks(*pieces))
    assert (completion.text, completion.reasoning, completion.finish) == ("An answer", "hm", "stop")
    assert (completion.prompt_tokens, completion.new_tokens) == (5, 4)
    halves = ({"choices": [{"delta": {"content": half}}]} for half in ("\ud83d", "\ude00"))
    assert spoken.read(chunks(*halves, {"choices": [{"delta": {}, "finish_reason": "stop"}]})).text == "\U0001f600"
    with pytest.raises(Unreadable):
        spoken.read(chunks(*pieces[:4], end=b""))


def test_money_is_counted_where_the_server_says_it(spoken: Spoken) -> None:
    assert (
        spoken.read(said("A", usage={"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.00021})[2]).cost == 0.00021
    )
    assert spoken.read(said("A")[2]).cost is None


NOTHING = None, {}, {"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": None, "completion_tokens": None}


@pytest.mark.parametrize("usage", NOTHING)
def test_what_nobody_counted_is_estimated_and_said_once(spoken: Spoken, usage: dict[str, int | None] | None) -> None:
    reply = {"choices": [{"message": {"content": "0123456789"}, "finish_reason": "stop"}], "usage": usage}
    for _ in range(2):
        completion = spoken.read(reply, ask("12345678"))
        assert (completion.prompt_tokens, completion.new_tokens) == (2, 3)
    assert len(spoken.lines) == 1 and "four bytes" in spoken.lines[0]


@pytest.mark.parametrize(
    "usage",
    [
        {"completion_tokens": -1},
        {"completion_tokens": 10**12},
        {"prompt_tokens": -5},
        {"cost": -1},
        {"completion_tokens": "x"},
    ],
)
def test_counts_that_cannot_be(spoken: Spoken, usage: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match=f"a count that cannot be, usage.{next(iter(usage))}"):
        spoken.read(said("A", usage=usage)[2])


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b"data: {", b"data: 3\n", b"data: [DONE]", b'{"choices": [{}], "usage": 3}',
     b'{"choices": ' + b"[" * 100_000, b"data: " + b"[" * 100_000, b'data: {"error": ' + b"[" * 100_000,
     b'data: {"choices": [{"delta": {"content": "\\ud83d"}, "finish_reason": "stop"}]}'],
    ids=lambda body: str(body[:30]),
)  # fmt: skip
def test_what_is_no_reply(spoken: Spoken, body: bytes) -> None:
    with pytest.raises(Unreadable):
        spoken.read(body)
