"""A form to fill in: ask for JSON, read it, ask once to mend it, or give up with the raw text kept.

    answer, completion = yield from structured(author, messages, Form)

An engine that can hold a model to a JSON Schema is given it (`Request.schema`); of any other the text is searched for
the first object that fits. It knows nothing of what a form is for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from distill.forms import REPAIR, Form, Malformed, read, schema_of
from distill.generate.author import Author, Unusable, said, user
from distill.protocols import Completion, Request
from distill.rows import Message

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
    schema = schema_of(form)
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
