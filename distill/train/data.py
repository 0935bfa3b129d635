"""train.jsonl -> input_ids and labels of our own rendering: what the trainer reads, and what it costs.

Nothing is cut off and nothing is packed. Every process encodes all rows: the same everywhere, and no process waits
for another's files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from distill.engines.template import IGNORE, Encoded, encode, encode_text
from distill.errors import TemplateError, TrainError
from distill.rows import Row, read_rows
from distill.train.order import BLANK

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase as Tokenizer

NAMED = 5
"""Rows that an error names before it only counts."""


@dataclass(frozen=True)
class TrainingData:
    rows: tuple[Row, ...]
    """Those that are learnt from."""
    encoded: tuple[Encoded, ...]
    too_long: int
    """Rows left out because they were longer than the limit."""

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [len(one.ids) for one in self.encoded]

    @property
    def learnt(self) -> list[int]:
        """Tokens of each row that the loss is taken over."""
        return [sum(label != IGNORE for label in one.labels) for one in self.encoded]


def read(path: Path, tokenizer: Tokenizer, max_length: int, too_long: Literal["error", "drop"]) -> TrainingData:
    """The rows of a file as tokens and labels.

    Raises:
        TrainError: no rows, rows of another kind, or rows longer than `max_length` tokens where that is an error.
        TemplateError: a row that the chat template cannot render so that its answers are found again.
    """
    rows = list(read_rows(path))
    encoded = [encode_row(tokenizer, row) for row in rows]
    fits = [len(one.ids) <= max_length for one in encoded]
    if not all(fits) and too_long == "error":
        _refuse([(row, len(one.ids)) for row, one, fit in zip(rows, encoded, fits, strict=True) if not fit], max_length)
    if not any(fits):
        raise TrainError(
            f"no row is left to learn from: {len(rows)} rows, of which {len(rows)} are longer than {max_length} tokens",
            where=str(path),
            hint="raise train.max_length" if rows else "look at the mix stage: it wrote no rows",
        )
    return TrainingData(
        rows=tuple(row for row, fit in zip(rows, fits, strict=True) if fit),
        encoded=tuple(one for one, fit in zip(encoded, fits, strict=True) if fit),
        too_long=fits.count(False),
    )


def in_order(data: TrainingData, steps: Sequence[Sequence[int]], blank: int) -> Dataset:
    """The rows of all steps, one step after the other, as a data set with `input_ids` and `labels`.

    Args:
        blank: token id that fills places without a row.
    """
    from datasets import Dataset, Features, List, Value

    table = {
        "input_ids": [one.ids for one in data.encoded] + [[blank, blank]],
        "labels": [one.labels for one in data.encoded] + [[IGNORE, IGNORE]],
    }
    ids = List(Value("int32"))
    dataset = Dataset.from_dict(table, features=Features(input_ids=ids, labels=ids))
    last = len(data.encoded)
    return dataset.select([last if row == BLANK else row for step in steps for row in step])


def encode_row(tokenizer: Tokenizer, row: Row) -> Encoded:
    """A conversation in the chat template, its answers learnt; a text as it is, all of it learnt.

    Raises:
        TrainError: a row of another kind.
        TemplateError: see `engines.template`.
    """
    if row.kind not in ("chat", "text"):
        hint = "sft learns from rows of kind chat and text"
        raise TrainError(f"a row of kind {row.kind!r}", where=f"row {row.id}", hint=hint)
    try:
        return encode_text(tokenizer, row.answer) if row.kind == "text" else encode(tokenizer, row.messages)
    except TemplateError as error:
        where = f"row {row.id}, {error.where}" if error.where else f"row {row.id}"
        raise TemplateError(error.message, where=where, hint=error.hint) from error


def _refuse(long: Sequence[tuple[Row, int]], max_length: int) -> None:
    named = ", ".join(f"{row.id} ({length})" for row, length in long[:NAMED])
    more = f" and {len(long) - NAMED} more" if len(long) > NAMED else ""
    raise TrainError(
        f"{len(long)} rows are longer than {max_length} tokens: {named}{more}",
        where="train.max_length",
        hint=f"set it to {max(length for _, length in long)} or more, filter by length, or set train.too_long: drop",
    )
