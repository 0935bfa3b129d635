"""The filters a recipe may name, in the order it names them; a row is dropped by the first that objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

from pydantic import Field

from distill.filter.bindings import Bindings
from distill.filter.contamination import Contamination
from distill.filter.duplicates import ExactDuplicate, NearDuplicate
from distill.filter.echo import Echo
from distill.filter.encoding import Encoding
from distill.filter.finished import Finished
from distill.filter.format import Format
from distill.filter.language import Language
from distill.filter.refusal import Refusal
from distill.filter.repetition import Repetition
from distill.filter.text import Length
from distill.protocols import KEEP, Filter, Judged, Verdict
from distill.rows import Row

AnyFilter = Annotated[
    Finished
    | Length
    | Repetition
    | Refusal
    | Echo
    | Encoding
    | Language
    | Format
    | ExactDuplicate
    | NearDuplicate
    | Contamination,
    Field(discriminator="kind"),
]

BATCH_ROWS = 1024
BATCH_CHARACTERS = 8_000_000
"""A batch ends at the one or the other; a row longer than that is a batch of its own."""


class Chain:
    """Filters bound and in order; the `Accept` that generation asks.

    Filters that judge a row alone are bound once. Those that judge sets start anew with every pass, or a row judged a
    second time would be its own duplicate. They see only the rows that all filters before them kept.
    """

    def __init__(self, specs: Sequence[AnyFilter], bindings: Bindings) -> None:
        self._specs, self._bindings = tuple(specs), bindings
        self._alone = {index: spec.bind(bindings) for index, spec in enumerate(specs) if spec.scope == "row"}

    def alone(self, rows: Sequence[Row]) -> list[Judged]:
        """One result per row, in the same order, by the filters that judge a row alone."""
        return list(_judge(list(self._alone.values()), rows))

    def together(self, rows: Sequence[Row]) -> list[Judged]:
        """One result per row, in the same order, by all filters. Rows added at the end change nothing before them."""
        return list(self.judge(rows))

    def judge(self, rows: Iterable[Row], real: bool = False) -> Iterator[Judged]:
        """`together`, as the rows come: one batch is held at a time. Real rows meet only those that judge real rows."""
        asked = [(index, spec) for index, spec in enumerate(self._specs) if spec.judges_real or not real]
        return _judge([self._alone.get(index) or spec.bind(self._bindings) for index, spec in asked], rows)


def _judge(filters: Sequence[Filter], rows: Iterable[Row]) -> Iterator[Judged]:
    for batch in batches(rows):
        judged = [Judged(row, KEEP, "") for row in batch]
        for one in filters:
            left = [index for index, result in enumerate(judged) if result.verdict.keep]
            verdicts: list[Verdict] = one.judge([batch[index] for index in left])
            for index, verdict in zip(left, verdicts, strict=True):
                if not verdict.keep:
                    judged[index] = Judged(batch[index], verdict, one.kind)
        yield from judged


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in their order, in lists of bounded size."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        length = sum(len(message.content) for message in row.messages)
        if batch and (len(batch) == BATCH_ROWS or size + length > BATCH_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += length
    if batch:
        yield batch
