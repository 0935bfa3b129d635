"""The filters a recipe may name, in the order it names them; a row is dropped by the first that objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

from pydantic import Field

from distill.filter.bindings import Bindings
from distill.filter.contamination import Contamination
from distill.filter.duplicates import ExactDuplicate, NearDuplicate
from distill.filter.refusal import Refusal
from distill.filter.repetition import Repetition
from distill.filter.text import Finished, Length
from distill.protocols import KEEP, Filter, Judged, Verdict
from distill.rows import Row

AnyFilter = Annotated[
    Finished | Length | Repetition | Refusal | ExactDuplicate | NearDuplicate | Contamination,
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
        """One result per row, in the same order, by all filters. More rows at the end change nothing said before them."""
        return list(self.judge(rows))

    def judge(self, rows: Iterable[Row]) -> Iterator[Judged]:
        """`together`, as the rows come: a batch of them is held at a time."""
        return _judge([self._alone.get(i) or spec.bind(self._bindings) for i, spec in enumerate(self._specs)], rows)


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
