"""One row -> token ids and labels, in the student's chat template."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.engines.template import Encoded, answer_span, encode, encode_text
from distill.errors import TemplateError, TrainError
from distill.rows import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer


@dataclass(frozen=True)
class Pair:
    """Two answers to one question, as token ids."""

    prompt: list[int]
    """The conversation so far and the words that open the assistant's turn."""
    chosen: list[int]
    rejected: list[int]


def encode_row(tokenizer: Tokenizer, row: Row) -> Encoded:
    """A conversation in the chat template, its answers learnt; a text as it is, all of it learnt.

    Raises:
        TrainError: a row of another kind.
        TemplateError: see `engines.template`.
    """
    if row.kind not in ("chat", "text"):
        hint = "the next token is learnt from rows of kind chat and text"
        raise TrainError(f"a row of kind {row.kind!r}", where=f"row {row.id}", hint=hint)
    with _naming(row):
        return encode_text(tokenizer, row.answer) if row.kind == "text" else encode(tokenizer, row.messages)


def encode_pair(tokenizer: Tokenizer, row: Row) -> Pair:
    """What was asked, and both answers to it, each with its stop token and in a conversation of its own.

    Raises:
        TrainError: a row of another kind.
        TemplateError: see `engines.template`; also where the template writes the question differently for one of them.
    """
    if row.kind != "preference":
        hint = "preferences are learnt from rows of kind preference"
        raise TrainError(f"a row of kind {row.kind!r}", where=f"row {row.id}", hint=hint)
    with _naming(row):
        chosen, rejected = (
            encode(tokenizer, messages, last_only=True)
            for messages in (row.messages, (*row.messages[:-1], *row.rejected))
        )
        (start, end), (other, last) = answer_span(chosen), answer_span(rejected)
        if chosen.ids[:start] != rejected.ids[:other]:
            hint = "the template must not write a question according to its answer"
            raise TemplateError("the two answers of a pair have different prompts", hint=hint)
        return Pair(chosen.ids[:start], chosen.ids[start:end], rejected.ids[other:last])


@contextmanager
def _naming(row: Row) -> Iterator[None]:
    """Errors of the template with the row that it could not render."""
    try:
        yield
    except TemplateError as error:
        where = f"row {row.id}, {error.where}" if error.where else f"row {row.id}"
        raise TemplateError(error.message, where=where, hint=error.hint) from error
