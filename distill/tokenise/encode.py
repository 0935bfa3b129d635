"""One row -> token ids and labels, in the student's chat template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.engines.template import Encoded, encode, encode_text
from distill.errors import TemplateError, TrainError
from distill.rows import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer


def encode_row(tokenizer: Tokenizer, row: Row) -> Encoded:
    """A conversation in the chat template, its answers learnt; a text as it is, all of it learnt.

    Raises:
        TrainError: a row of another kind.
        TemplateError: see `engines.template`.
    """
    if row.kind not in ("chat", "text"):
        hint = "the next token is learnt from rows of kind chat and text"
        raise TrainError(f"a row of kind {row.kind!r}", where=f"row {row.id}", hint=hint)
    try:
        return encode_text(tokenizer, row.answer) if row.kind == "text" else encode(tokenizer, row.messages)
    except TemplateError as error:
        where = f"row {row.id}, {error.where}" if error.where else f"row {row.id}"
        raise TemplateError(error.message, where=where, hint=error.hint) from error
