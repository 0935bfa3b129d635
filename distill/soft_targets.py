"""What is kept of a teacher's next-token distributions, and the files that it lies in.

    teacher-00000.arrow …    some rows each, in one record batch, read by memory map

    id         of the row in train.arrow
    ids        token ids, position after position: the N of a position, then those of the next
    logprobs   their log-probabilities under the teacher, natural logarithms
    tail       top_k: log-probability of all other tokens together, one a position
    counts     sampled: how often each id was drawn
    kept       sampled: how many ids a position has

Positions are those that foretell a learnt token, in order. The schema's metadata has `about`, as JSON: format, keep,
temperature, vocabulary, teacher and template. Nothing is renormalised over what is kept: what top_k leaves out is the
tail, and counts are an unbiased estimate of the whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from distill.errors import ArtifactError
from distill.rows import Frozen

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

FORMAT = 1
ABOUT = b"about"
SHORT = 1 << 16
"""Vocabularies up to this size have ids of two bytes."""


class TopK(Frozen):
    kind: Literal["top_k"] = "top_k"
    k: int = Field(64, gt=0)
    """Likeliest tokens of each position; a vocabulary that is smaller is kept whole."""
    dtype: Literal["float16", "float32"] = "float16"
    """Of the log-probabilities: to 0.4% of a probability, or exact."""


class Sampled(Frozen):
    kind: Literal["sampled"]
    n: int = Field(50, gt=0, le=255)
    """Draws from the teacher's distribution at each position."""
    dtype: Literal["float16", "float32"] = "float16"


Keep = Annotated[TopK | Sampled, Field(discriminator="kind")]


class About(Frozen):
    """What the files were made with."""

    format: int = FORMAT
    keep: Keep
    temperature: float
    """Of the softmax that the probabilities are of."""
    vocabulary: int
    """Ids that stand for a token; what the output layer has beyond them takes no part."""
    teacher: str
    """`<model>@<revision>`."""
    template: str
    """Hash of the chat template that the rows are rendered in: the student's."""


@dataclass(frozen=True)
class SoftTargets:
    """The teacher at one row's T positions, of which N tokens are kept altogether."""

    ids: npt.NDArray[np.integer[Any]]
    """(N,)"""
    logprobs: npt.NDArray[np.floating[Any]]
    """(N,)"""
    tail: npt.NDArray[np.floating[Any]] | None = None
    """(T,) of top_k."""
    counts: npt.NDArray[np.integer[Any]] | None = None
    """(N,) of sampled."""
    kept: npt.NDArray[np.integer[Any]] | None = None
    """(T,) of sampled."""

    @property
    def positions(self) -> int:
        per_position = self.tail if self.tail is not None else self.kept
        assert per_position is not None
        return len(per_position)


def id_type(vocabulary: int) -> str:
    return "uint16" if vocabulary <= SHORT else "int32"


def schema(about: About) -> pa.Schema:
    import pyarrow as pa

    lists = {"ids": id_type(about.vocabulary), "logprobs": about.keep.dtype}
    lists |= {"tail": about.keep.dtype} if about.keep.kind == "top_k" else {"counts": "uint8", "kept": "uint8"}
    types = {name: pa.from_numpy_dtype(kind) for name, kind in lists.items()}
    fields = [("id", pa.string()), *((name, pa.large_list(kind)) for name, kind in types.items())]
    return pa.schema(fields, {ABOUT: about.model_dump_json().encode()})


def shard(folder: Path, number: int) -> Path:
    return folder / f"teacher-{number:05}.arrow"


def write(path: Path, about: About, rows: Sequence[tuple[str, SoftTargets]]) -> None:
    """The rows as one file, whole or absent."""
    import numpy as np
    import pyarrow as pa

    kind = schema(about)
    columns: list[Any] = [pa.array([name for name, _ in rows], pa.string())]
    for field in list(kind)[1:]:
        parts = [getattr(row, field.name) for _, row in rows]
        offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
        values = np.concatenate(parts).astype(field.type.value_type.to_pandas_dtype(), copy=False)
        columns.append(pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values, field.type.value_type)))
    half = path.with_name(f".{path.name}")
    with pa.ipc.new_stream(half, kind) as file:
        file.write_batch(pa.RecordBatch.from_arrays(columns, schema=kind))
    half.replace(path)


class Cache:
    """The files of a folder, by row.

    Raises:
        ArtifactError: a file of another format, or one that is damaged.
    """

    def __init__(self, folder: Path) -> None:
        paths = sorted(folder.glob("teacher-*.arrow"))
        if not paths:
            raise ArtifactError("no teacher's distributions are there", where=str(folder))
        self.folder = folder
        self._shards = [_read(path) for path in paths]
        self.about = About.model_validate_json(self._shards[0].schema.metadata[ABOUT])
        self.bytes = sum(path.stat().st_size for path in paths)

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        return {
            name: (number, place)
            for number, found in enumerate(self._shards)
            for place, name in enumerate(found.column("id").to_pylist())
        }

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, name: str) -> SoftTargets:
        """A row by its id, as views of the file."""
        number, place = self._places[name]
        found = self._shards[number]
        fields = found.schema.names[1:]
        return SoftTargets(**{name: found.column(name)[place].values.to_numpy() for name in fields})

    def column(self, name: str) -> Iterator[npt.NDArray[Any]]:
        """All values of a column, file by file."""
        for found in self._shards:
            yield found.column(name).values.to_numpy()


def _read(path: Path) -> pa.RecordBatch:
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as file:
            found = json.loads(file.schema.metadata[ABOUT])["format"]
            if found != FORMAT:
                hint = "remove the folder it lies in and run again"
                raise ArtifactError(f"format {found}; this version reads {FORMAT}", where=str(path), hint=hint)
            return file.read_next_batch()
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, StopIteration) as error:
        hint = "remove the folder it lies in and run again"
        raise ArtifactError(
            f"the teacher's distributions cannot be read: {error}", where=str(path), hint=hint
        ) from error
