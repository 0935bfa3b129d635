"""The filters a recipe may name, in the order it names them; a row is dropped by the first that objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, TypeVar, cast

from pydantic import Field

from distill.context import Ranks
from distill.engines.batches import share
from distill.filter.bindings import Bindings
from distill.filter.blocklist import Blocklist
from distill.filter.contamination.contamination import Contamination
from distill.filter.contamination.verbatim import Verbatim
from distill.filter.duplicates.near import ExactDuplicate, NearDuplicate
from distill.filter.duplicates.semantic import SemanticDuplicate
from distill.filter.models.difficulty import Difficulty
from distill.filter.models.judge import Judge
from distill.filter.models.perplexity import Perplexity
from distill.filter.models.reward import Reward
from distill.filter.models.select import Select
from distill.filter.models.surprising import Surprising
from distill.filter.privacy.privacy import Privacy
from distill.filter.spool import Memory, Spool, Waiting
from distill.filter.text.echo import Echo
from distill.filter.text.encoding import Encoding
from distill.filter.text.finished import Finished
from distill.filter.text.format import Format
from distill.filter.text.language import Language
from distill.filter.text.length import Length
from distill.filter.text.refusal import Refusal
from distill.filter.text.repetition import Repetition
from distill.filter.verification.code import Code
from distill.filter.verification.json_schema import JsonSchema
from distill.filter.verification.mathematics import Math
from distill.filter.verification.passage import Grounded
from distill.protocols import KEEP, Filter, Judged, Noting, Pool, Verdict
from distill.rows import Row

AnyFilter = Annotated[
    Finished
    | Length
    | Repetition
    | Refusal
    | ExactDuplicate
    | NearDuplicate
    | SemanticDuplicate
    | Contamination
    | Verbatim
    | Privacy
    | Blocklist
    | Code
    | Math
    | JsonSchema
    | Grounded
    | Echo
    | Encoding
    | Language
    | Format
    | Judge
    | Reward
    | Perplexity
    | Difficulty
    | Select
    | Surprising,
    Field(discriminator="kind"),
]

T = TypeVar("T")
Judging = Callable[[Sequence[Row]], list[Verdict]]
BATCH_ROWS = 1024
BATCH_CHARACTERS = 8_000_000
"""A batch ends at the one or the other; a row longer than that is a batch of its own."""
Batch = list[Judged]


def in_order(specs: Iterable[AnyFilter]) -> tuple[AnyFilter, ...]:
    """As the recipe names them, but those that must see a row before any other comes to write of it."""
    return tuple(sorted(specs, key=lambda spec: not spec.FIRST))


class Chain:
    """Filters bound and in order; the `Accept` that generation asks.

    Filters that judge a row alone are bound once. The others start anew with every pass, or a row judged a second time
    would be its own duplicate. A filter sees only the rows that all filters before it kept, as they left them.
    """

    def __init__(self, specs: Sequence[AnyFilter], bindings: Bindings) -> None:
        self._specs, self._bindings = in_order(specs), bindings
        self._alone = {index: spec.bind(bindings) for index, spec in enumerate(self._specs) if spec.scope == "row"}
        self.notes: list[str] = []
        """What the filters had to say of the rows that `judge` has gone through."""

    def alone(self, rows: Sequence[Row]) -> list[Judged]:
        """One result per row, in the same order, by the filters that judge a row alone."""
        asked = [(self._specs[index], one) for index, one in self._alone.items()]
        return self._judged(asked, rows)

    def together(self, rows: Sequence[Row]) -> list[Judged]:
        """One result per row, in the same order, by all filters but those that choose among accepted rows."""
        return self._judged([(spec, one) for spec, one in self._bound() if not spec.CHOOSES], rows)

    def _judged(self, asked: Sequence[tuple[AnyFilter, Filter]], rows: Sequence[Row]) -> list[Judged]:
        stream = _through(asked, fresh(rows), self._bindings.open.context.ranks, Memory, audit=False)
        return [result for batch in stream for result in batch]

    def judge(self, rows: Iterable[Row], real: bool = False) -> Iterator[Judged]:
        """All filters, as the rows come: one batch is held at a time, and where a filter must have seen all rows they
        wait on the disk. Real rows meet only those that judge real rows. Of each dropped row it is said which other
        filters would have dropped it, of those that judge a row alone at no great cost.
        """
        yield from self.further(fresh(rows), real)

    def further(self, judged: Iterable[Judged], real: bool = False) -> Iterator[Judged]:
        """The same of rows that filters before these have judged."""
        asked = [(spec, one) for spec, one in self._bound() if spec.judges_real or not real]
        for batch in _through(asked, judged, self._bindings.open.context.ranks, Spool, audit=True):
            yield from batch
        self.notes += [
            f"{spec.label}: {note}" for spec, one in asked if isinstance(one, Noting) for note in one.notes()
        ]

    def _bound(self) -> Iterator[tuple[AnyFilter, Filter]]:
        for index, spec in enumerate(self._specs):
            yield spec, self._alone.get(index) or spec.bind(self._bindings)


def _through(
    asked: Sequence[tuple[AnyFilter, Filter]],
    judged: Iterable[Judged],
    ranks: Ranks,
    waiting: Callable[[], Waiting],
    audit: bool,
) -> Iterator[Batch]:
    """Rows through one filter after the other, batch by batch."""
    stream = judged_batches(judged)
    for spec, one in asked:
        if one.scope == "pool":
            stream = _surveyed(cast(Pool, one), stream, waiting())
        cheap = one.scope == "row" and not spec.COSTLY
        judge = _shared(one, ranks) if cheap and ranks.world > 1 else one.judge
        stream = _past(spec, judge, stream, audit and cheap and spec.AUDITED)
    return stream


def _surveyed(one: Pool, stream: Iterator[Batch], waiting: Waiting) -> Iterator[Batch]:
    """The same batches, after the filter has seen what is left in all of them."""
    with waiting:
        for batch in stream:
            one.survey([result.row for result in batch if result.verdict.keep])
            waiting.put(batch)
        yield from waiting


def _past(spec: AnyFilter, judge: Judging, stream: Iterator[Batch], audit: bool) -> Iterator[Batch]:
    """Batches with the verdicts of one filter on what was left in them."""
    for batch in stream:
        places = [place for place, result in enumerate(batch) if result.verdict.keep or audit]
        for place, verdict in zip(places, judge([batch[place].row for place in places]), strict=True):
            batch[place] = _entered(batch[place], spec, verdict)
        yield batch


def _entered(result: Judged, spec: AnyFilter, verdict: Verdict) -> Judged:
    # Of a dropped row too: what a filter took out of it must not be written.
    row = verdict.row or result.row
    if not result.verdict.keep:
        also = result.also if verdict.keep else (*result.also, spec.kind)
        return replace(result, row=row, also=also)
    if not verdict.keep:
        return Judged(row, replace(verdict, row=None), spec.kind, changed=result.changed)
    # One of an earlier run is not what this filter measured.
    if verdict.score is not None or spec.label in row.scores:
        row = row.scored(**{spec.label: verdict.score})
    changed = (*result.changed, f"{spec.kind}.{verdict.reason}") if verdict.row else result.changed
    return replace(result, row=row, changed=changed)


def _shared(one: Filter, ranks: Ranks) -> Judging:
    """Each rank judges its part, and all get all verdicts."""

    def judge(rows: Sequence[Row]) -> list[Verdict]:
        mine = share(range(len(rows)), ranks.rank, ranks.world)
        verdicts = dict(ranks.gather(list(zip(mine, one.judge([rows[place] for place in mine]), strict=True))))
        return [verdicts[place] for place in range(len(rows))]

    return judge


def fresh(rows: Iterable[Row]) -> Iterator[Judged]:
    """Rows that nobody has judged yet."""
    return (Judged(row, KEEP, "") for row in rows)


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in their order, in lists of bounded size."""
    return cut(rows, lambda row: row)


def judged_batches(judged: Iterable[Judged]) -> Iterator[Batch]:
    """The same of rows with what was said of them."""
    return cut(judged, lambda result: result.row)


def cut(items: Iterable[T], row_of: Callable[[T], Row]) -> Iterator[list[T]]:
    batch: list[T] = []
    size = 0
    for item in items:
        length = sum(len(message.content) for message in row_of(item).messages)
        if batch and (len(batch) == BATCH_ROWS or size + length > BATCH_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield batch
