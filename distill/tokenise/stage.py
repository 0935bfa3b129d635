"""mix's rows -> train.arrow: token ids and labels in the student's template, a row each, in the order of the mix.

    train.arrow       what is learnt from
    validation.arrow  what the training is watched on; only where the mix set rows aside

    {"id", "length", "learnt", "input_ids", "labels"}

    id             of the row in the mix
    length         tokens of the row
    learnt         tokens of it that the loss is taken over
    input_ids      (length,) int32
    labels         (length,) int32, -100 where nothing is learnt

Nothing is cut off and nothing is left out: what is too long for a training is that training's affair. The files are read
by memory map, so that every process of a node shares one copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.context import Context
from distill.engines.template import IGNORE, Encoded
from distill.protocols import Summary
from distill.rows import Frozen, read_rows
from distill.tokenise.encode import encode_row

if TYPE_CHECKING:
    import pyarrow as pa
    from transformers import PreTrainedTokenizerBase as Tokenizer

VERSION = 2
VALIDATION = "validation.arrow"
BATCH = 1000
"""Rows that are in memory at a time."""


class Spec(Frozen):
    student: str
    """Reference to the model whose tokenizer and template it is."""


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write the tokens of every row.

    Raises:
        TemplateError: a row that the chat template cannot render so that its answers are found again; names the row.
    """
    from distill.engines import models
    from distill.engines.template import template_hash

    tokenizer = models.load_tokenizer(context.resolved[spec.student], context.cache)
    summary: Summary = {"template": template_hash(tokenizer), "notes": []}
    if not context.ranks.main:
        return summary
    summary["counts"] = write(out / "train.arrow", _records(tokenizer, inputs["mix"] / "train.jsonl"))
    if (validation := inputs["mix"] / "validation.jsonl").exists():
        summary["counts"]["validation_rows"] = write(out / VALIDATION, _records(tokenizer, validation))["rows"]
    return summary


def _records(tokenizer: Tokenizer, path: Path) -> Iterator[dict[str, Any]]:
    return (record(row.id, encode_row(tokenizer, row)) for row in read_rows(path))


def record(name: str, encoded: Encoded) -> dict[str, Any]:
    return {
        "id": name,
        "length": len(encoded.ids),
        "learnt": sum(label != IGNORE for label in encoded.labels),
        "input_ids": encoded.ids,
        "labels": encoded.labels,
    }


def write(path: Path, records: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Write the records and return how many rows and tokens they are."""
    import pyarrow as pa

    counts = {"rows": 0, "tokens": 0, "learnt": 0}
    with pa.ipc.new_stream(path, schema()) as file:
        for batch in _batches(records):
            file.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema()))
            counts["rows"] += len(batch)
            counts["tokens"] += sum(one["length"] for one in batch)
            counts["learnt"] += sum(one["learnt"] for one in batch)
    return counts


def schema() -> pa.Schema:
    import pyarrow as pa

    ids = pa.list_(pa.int32())
    return pa.schema({"id": pa.string(), "length": pa.int32(), "learnt": pa.int32(), "input_ids": ids, "labels": ids})


def _batches(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    stream = iter(records)
    while batch := list(islice(stream, BATCH)):
        yield batch
