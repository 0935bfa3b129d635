"""data files, or a hub data set's folder -> records, each with the place it was found at.

JSON lines, JSON, CSV, Parquet and YAML; all but Parquet in gzip too (`.jsonl.gz`). Knows nothing of rows: what a record
means is said in `real.py`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, cast

import yaml

from distill.errors import SourceError
from distill.sources.content import listing
from distill.sources.references import nearest
from distill.yaml_errors import place, problem


@dataclass(frozen=True)
class Record:
    where: str
    """File and line, or file and number, counted from 1."""
    value: Any


def read_files(path: Path, items: str | None) -> Iterator[Record]:
    """Records of a file, or of all data files under a folder by name; other files are passed over.

    Args:
        items: key of the list of records in a JSON or YAML file that is an object.

    Raises:
        SourceError: no data file, an empty one, or one that cannot be read, with the line where there is one.
    """
    files = [file for file in listing(path) if _suffix(file) in READERS] if path.is_dir() else [path]
    if not files:
        raise SourceError(f"no data file; read are {', '.join(READERS)}", where=str(path))
    for file in files:
        if _suffix(file) not in READERS:
            raise SourceError(f"not a data file; read are {', '.join(READERS)}", where=str(file))
        count = 0
        try:
            for record in READERS[_suffix(file)](file, items):
                count += 1
                yield record
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise SourceError(f"cannot be read: {reason}", where=str(file)) from error
        if not count:
            raise SourceError("the file holds no record", where=str(file))


def read_hub(path: Path, config: str | None, split: str) -> Iterator[Record]:
    """Records of a data set as the hub lays them out, from its folder on this machine; code in it is never run.

    Raises:
        SourceError: no such configuration or split, or files that do not fit together.
    """
    from datasets import load_dataset

    where = f"{path}, split {split}"
    try:  # streamed: read in place, without a second copy in a cache
        for number, value in enumerate(load_dataset(str(path), name=config, split=split, streaming=True), 1):
            yield Record(f"{where}, record {number}", value)
    except Exception as error:  # of many libraries below it: pyarrow, fsspec, pandas, its own
        raise SourceError(f"cannot be read as a data set: {str(error).strip()[:500]}", where=where) from error


def _jsonl(path: Path, items: str | None) -> Iterator[Record]:
    _refuse(items, path)
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            where = f"{path}:{number}"
            text = decode(line, where)
            if text.strip():
                yield Record(where, _parse_json(text, where, one_line=True))


def _json(path: Path, items: str | None) -> Iterator[Record]:
    text = decode(_bytes(path), str(path))
    if text.strip():
        yield from _listed(_parse_json(text, str(path), one_line=False), path, items)


def _yaml(path: Path, items: str | None) -> Iterator[Record]:
    text = decode(_bytes(path), str(path))
    try:
        value = yaml.load(text, Loader=_text_loader())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SourceError(f"not YAML: {problem(error)}", where=place(error, path)) from error
    if value is not None:
        yield from _listed(value, path, items)


def _csv(path: Path, items: str | None) -> Iterator[Record]:
    _refuse(items, path)
    csv.field_size_limit(sys.maxsize)  # the default refuses texts above 128 kB
    text = decode(_bytes(path), str(path))
    delimiter = "\t" if _suffix(path) == ".tsv" else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        if len(set(header)) < len(header):
            raise SourceError(f"two columns have one name: {', '.join(header)}", where=f"{path}:1")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                message = f"{len(cells)} cells where the header has {len(header)}"
                raise SourceError(message, where=f"{path}:{reader.line_num}", hint="quote cells that hold commas")
            yield Record(f"{path}:{reader.line_num}", dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise SourceError(f"not CSV: {error}", where=f"{path}:{reader.line_num}") from error


def _parquet(path: Path, items: str | None) -> Iterator[Record]:
    import pyarrow
    import pyarrow.parquet

    _refuse(items, path)
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for value in batch.to_pylist():
                    number += 1
                    yield Record(f"{path}, record {number}", value)
    except pyarrow.ArrowException as error:
        raise SourceError(f"not Parquet: {error}", where=str(path)) from error


READERS: dict[str, Callable[[Path, str | None], Iterator[Record]]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _csv,
    ".parquet": _parquet,
    ".yaml": _yaml,
    ".yml": _yaml,
}


def _suffix(path: Path) -> str:
    """What kind of file it is: `.jsonl` of `items.jsonl.gz`."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    packed = suffixes[-1:] == [".gz"] and suffixes[0] != ".parquet"
    return suffixes[0] if packed else "".join(suffixes[-1:])


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")


def _bytes(path: Path) -> bytes:
    with _opened(path) as file:
        return file.read()


def decode(data: bytes, where: str) -> str:
    """Bytes of a file as text.

    Raises:
        SourceError: not UTF-8, with the line.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = f":{data[: error.start].count(10) + 1}" if data.count(10) > 1 else ""
        message = f"not UTF-8 text: byte {data[error.start]:#04x}"
        raise SourceError(message, where=where + line, hint="save it as UTF-8") from error


def _parse_json(text: str, where: str, one_line: bool) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = f"{where}" if one_line else f"{where}:{error.lineno}"
        several = not one_line and error.msg == "Extra data"
        hint = "name the file .jsonl if it holds one record a line" if several else None
        raise SourceError(f"not JSON: {error.msg} at column {error.colno}", where=at, hint=hint) from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"not JSON: {error}", where=where) from error


def _listed(value: Any, path: Path, items: str | None) -> Iterator[Record]:
    """The records of a JSON or YAML value: a list, or an object with the list under `items`."""
    if items is None:
        if not isinstance(value, list):
            lists = [str(key) for key in value if isinstance(value[key], list)] if isinstance(value, dict) else []
            hint = f"name the key of the records with `items`: {', '.join(lists)}" if lists else None
            raise SourceError(f"holds {_kind(value)}, not a list of records", where=str(path), hint=hint)
    else:
        if not isinstance(value, dict):
            raise SourceError(
                f"holds {_kind(value)}, so there is no key {items!r}", where=str(path), hint="drop `items`"
            )
        if items not in value:
            raise SourceError(f"no key {items!r}; nearest there: {nearest(items, map(str, value))}", where=str(path))
        value = value[items]
        if not isinstance(value, list):
            raise SourceError(f"{items!r} holds {_kind(value)}, not a list of records", where=str(path))
    for number, one in enumerate(value, 1):
        yield Record(f"{path}, record {number}", one)


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "text", type(None): "nothing"}.get(type(value), "a number")


def _refuse(items: str | None, path: Path) -> None:
    if items is not None:
        raise SourceError("`items` is for JSON and YAML files", where=str(path), hint="drop `items`")


@cache
def _text_loader() -> Any:
    """The safe loader, in C where there is one, that keeps scalars as written: `Yes`, `1.10` and `12:30` are text."""
    safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    kept = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
    resolvers = {
        first: [(tag, pattern) for tag, pattern in pairs if tag in kept]
        for first, pairs in safe.yaml_implicit_resolvers.items()
    }
    return type("TextLoader", (safe,), {"yaml_implicit_resolvers": resolvers})
