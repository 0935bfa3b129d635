"""mix's rows -> tokens in the student's template, a row each, in the order of the mix.

    train.arrow         {"id", "length", "learnt", "prompt", "input_ids", "labels"}
    validation.arrow    the same of what the training is watched on; only where the mix set rows aside
    preference.arrow    {"id", "length", "learnt", "longest", "prompt_ids", "chosen_ids", "rejected_ids"}

    id                  of the row in the mix
    length              tokens of the row; of both conversations of a pair
    learnt              tokens of it that the loss is taken over
    prompt              tokens before the last answer; 0 for a text, which answers nothing
    longest             tokens of the longer conversation of a pair
    input_ids           (length,) int32
    labels              (length,) int32, -100 where nothing is learnt
    *_ids               (…,) int32; both answers end with the stop token

preference.arrow is there where the mix has preferences.

Nothing is cut off and nothing is left out: what is too long for a training is that training's affair. The files are read
by memory map, so that every process of a node shares one copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.context import Context
from distill.engines.template import IGNORE, Encoded, answer_span
from distill.protocols import Summary
from distill.rows import Frozen, read_rows
from distill.tokenise.encode import Pair, encode_pair, encode_row

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
    if (pairs := inputs["mix"] / "preference.jsonl").exists():
        records = (pair_record(row.id, encode_pair(tokenizer, row)) for row in read_rows(pairs))
        counts = write(out / "preference.arrow", records, pair_schema())
        summary["counts"] |= {f"preference_{name}": count for name, count in counts.items()}
    return summary


def _records(tokenizer: Tokenizer, path: Path) -> Iterator[dict[str, Any]]:
    return (record(row.id, encode_row(tokenizer, row), row.kind == "chat") for row in read_rows(path))


def record(name: str, encoded: Encoded, answers: bool = True) -> dict[str, Any]:
    """A line of train.arrow.

    Args:
        answers: it is a conversation, with something before its answer.
    """
    return {
        "id": name,
        "length": len(encoded.ids),
        "learnt": sum(label != IGNORE for label in encoded.labels),
        "prompt": answer_span(encoded)[0] if answers else 0,
        "input_ids": encoded.ids,
        "labels": encoded.labels,
    }


def pair_record(name: str, pair: Pair) -> dict[str, Any]:
    """A line of preference.arrow."""
    learnt = len(pair.chosen) + len(pair.rejected)
    return {
        "id": name,
        "length": 2 * len(pair.prompt) + learnt,
        "learnt": learnt,
        "longest": len(pair.prompt) + max(len(pair.chosen), len(pair.rejected)),
        "prompt_ids": pair.prompt,
        "chosen_ids": pair.chosen,
        "rejected_ids": pair.rejected,
    }


def write(path: Path, records: Iterable[dict[str, Any]], columns: pa.Schema | None = None) -> dict[str, int]:
    """Write the records and return how many rows and tokens they are."""
    import pyarrow as pa

    columns = columns or schema()
    counts = {"rows": 0, "tokens": 0, "learnt": 0}
    with pa.ipc.new_stream(path, columns) as file:
        for batch in _batches(records):
            file.write_batch(pa.RecordBatch.from_pylist(batch, schema=columns))
            counts["rows"] += len(batch)
            counts["tokens"] += sum(one["length"] for one in batch)
            counts["learnt"] += sum(one["learnt"] for one in batch)
    return counts


def schema() -> pa.Schema:
    return _schema(("length", "learnt", "prompt"), ("input_ids", "labels"))


def pair_schema() -> pa.Schema:
    return _schema(("length", "learnt", "longest"), ("prompt_ids", "chosen_ids", "rejected_ids"))


def _schema(numbers: Sequence[str], tokens: Sequence[str]) -> pa.Schema:
    import pyarrow as pa

    ids = pa.list_(pa.int32())
    return pa.schema({"id": pa.string(), **dict.fromkeys(numbers, pa.int32()), **dict.fromkeys(tokens, ids)})


def _batches(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    stream = iter(records)
    while batch := list(islice(stream, BATCH)):
        yield batch
