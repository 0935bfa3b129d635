"""A form to fill in: ask for JSON, read it, ask once to mend it, or give up with the raw text kept.

    answer, completion = yield from structured(author, messages, Form)

An engine that can hold a model to a JSON Schema is given it (`Request.schema`); of any other the text is searched for
the first object that fits. It knows nothing of what a form is for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from distill.generate.author import Author, Unusable, said, user
from distill.protocols import Completion, Request
from distill.rows import Message

Form = TypeVar("Form", bound=BaseModel)
REPAIR = "repair"
"""Name of the prompt file that asks to mend an answer; it is told `problem` and `schema`."""
Prompt = Callable[..., str]


def structured(
    author: Author,
    messages: Sequence[Message],
    form: type[Form],
    prompt: Prompt,
    sample: int = 0,
    max_new_tokens: int | None = None,
) -> Generator[Request, Completion, tuple[Form, Request, Completion]]:
    """The form as the model filled it in, with the request and completion that held it.

    Args:
        prompt: `MethodSpec.prompt` of a method that lists `repair` among its `FILES`.

    Raises:
        Unusable: `engine_error`, `empty_form`, `unfinished_form` or `malformed_form`, with the last raw text.
    """
    schema = json.dumps(form.model_json_schema(), sort_keys=True)
    request = author.ask(messages, sample, max_new_tokens, schema=schema)
    completion = yield request
    try:
        return read(said(completion, "form"), form), request, completion
    except Malformed as malformed:
        if completion.finish == "length":
            raise Unusable("unfinished_form", completion.text[-300:]) from None
        again = [
            *messages,
            Message(role="assistant", content=completion.text),
            user(prompt(REPAIR, problem=str(malformed), schema=schema)),
        ]
    request = author.ask(again, sample, max_new_tokens, schema=schema)
    completion = yield request
    try:
        return read(said(completion, "form"), form), request, completion
    except Malformed as malformed:
        raise Unusable("malformed_form", f"{malformed}: {completion.text}") from None


class Malformed(ValueError):
    """No JSON object in a text, or none that fits; the message tells a model what to mend."""


def read(text: str, form: type[Form]) -> Form:
    """The first JSON object in a text that fits the form, code fences and talk around it passed over.

    Raises:
        Malformed: there is none; says what is wrong with the first.
    """
    problem = ""
    for value in objects(text):
        try:
            return form.model_validate(value)
        except ValidationError as error:
            problem = problem or "; ".join(
                f"{'.'.join(map(str, one['loc'])) or 'the object'}: {one['msg']}" for one in error.errors()[:3]
            )
    raise Malformed(problem or "there is no JSON object in it")


def objects(text: str) -> list[Any]:
    """Every JSON object in a text that is not inside another."""
    decoder = json.JSONDecoder(strict=False)  # models write line ends into strings
    found: list[Any] = []
    place = text.find("{")
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
            found.append(value)
        except (ValueError, RecursionError):
            end = place + 1
        place = text.find("{", end)
    return found
