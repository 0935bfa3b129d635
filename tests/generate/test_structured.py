"""Forms: what is asked again, and what is given up with the raw text kept."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel, Field

from distill.generate.author import Author, Unusable, user
from distill.generate.structured import structured
from distill.protocols import Completion, Request


class Marks(BaseModel):
    score: int = Field(ge=1, le=5)
    why: str = ""


def ask(author: Author, *said: tuple[str, str]) -> tuple[object, list[Request]]:
    prompt = lambda name, **values: f"{name}: {values['problem']}"  # noqa: E731
    asking, requests = structured(author, [user("How good?")], Marks, prompt), []
    request = next(asking)
    for text, finish in said:
        requests.append(request)
        try:
            request = asking.send(Completion(request.key, text, finish, 1, 1))  # type: ignore[arg-type]
        except StopIteration as stop:
            return stop.value[0], requests
    raise AssertionError("it asks on")


def test_a_form_is_asked_for_with_its_schema(author: Author) -> None:
    marks, (request,) = ask(author, ('{"score": 4}', "stop"))
    assert marks == Marks(score=4)
    assert request.schema is not None and json.loads(request.schema)["properties"]["score"]["maximum"] == 5


def test_what_is_malformed_is_mended_once(author: Author) -> None:
    marks, (_, again) = ask(author, ("four", "stop"), ('{"score": 4}', "stop"))
    assert marks == Marks(score=4)
    assert [m.content for m in again.messages] == ["How good?", "four", "repair: there is no JSON object in it"]


@pytest.mark.parametrize(
    ("said", "reason", "detail"),
    [
        ([("four", "stop"), ("still four", "stop")], "malformed_form", "still four"),
        ([('{"score": ', "length")], "unfinished_form", '{"score": '),
        ([("", "stop")], "empty_form", ""),
    ],
)
def test_what_cannot_be_mended_ends_with_its_raw_text(
    author: Author, said: list[tuple[str, str]], reason: str, detail: str
) -> None:
    with pytest.raises(Unusable) as caught:
        ask(author, *said)
    assert caught.value.reason == reason and detail in caught.value.detail
