"""a run + the id of a row -> its life: what it was made from, by whom, on what terms, what was said of it, who learnt from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from distill.errors import SourceError
from distill.filter.chain import in_order
from distill.rows import Frozen, Provenance, Row
from distill.terms.registry import Registry
from distill.trail.index import number
from distill.trail.steps import Run, Step, followed

ALIKE = 1000
"""Rows with one parent among which a row is looked for that a filter has changed."""


class Place(Frozen):
    step: str
    """`2-filter`, or `OTHER/2-filter` of another run."""
    file: str
    line: int
    reason: str | None = None
    """`<filter>.<reason>` where it was dropped."""
    evidence: str | None = None
    as_id: str | None = None
    """Its id there, where a filter has changed it since, or had not yet."""


class Judgement(Frozen):
    filter: str
    verdict: str
    """`passed`, `dropped: REASON`, or `would drop` of a filter after the one that dropped it."""
    score: float | None = None


class Term(Frozen):
    id: str
    name: str
    """Empty where it is not among the licences that are known."""
    outputs: str = ""
    """Whether outputs under it may train another model."""
    address: str = ""


class Learnt(Frozen):
    training: str
    tokens: int
    """Of the row in the student's template."""
    supervised: int
    """Those that the loss is taken over."""
    left_out: bool = False
    """It was too long for the training."""


class Parent(Frozen):
    id: str
    row: Row | None = None
    """None where it is on this machine no more."""
    places: tuple[Place, ...] = ()
    parents: tuple[Parent, ...] = ()


class Life(Frozen):
    """Everything that is known of one row."""

    id: str
    row: Row
    places: tuple[Place, ...]
    judged: tuple[Judgement, ...]
    learnt: tuple[Learnt, ...]
    terms: tuple[Term, ...]
    parents: tuple[Parent, ...]
    missing: tuple[str, ...] = ()
    """What it may have come from that is on this machine no more."""


def life(run: Run, name: str, registry: Registry) -> Life:
    """The life of a row of a run, or of one that the run took over.

    Raises:
        SourceError: no such row.
    """
    missing: list[str] = []
    steps = followed(run, missing)
    found = _places(steps, name)
    if not found:
        raise SourceError(
            f"no row {name!r} in {', '.join(step.label for step in run.own)}",
            where=str(run.folder),
            hint="`distill show RUN --rows NODE` shows rows with their ids",
        )
    record = found[-1][1]
    row = _row(record)
    own = {step.label for step in run.own}
    places = [*(each for each, _ in found), *_changed(steps, row, {each.step for each, _ in found})]
    judged = next((one for at, one in reversed(found) if at.step in own and _is(at.step, "filter")), None)
    return Life(
        id=name,
        row=row,
        places=tuple(sorted(places, key=lambda one: [step.label for step in steps].index(one.step))),
        judged=tuple(_judged(run, judged)) if judged else (),
        learnt=tuple(_learnt(run, [place for place, _ in found])),
        terms=tuple(_terms(row, registry)),
        parents=tuple(_parents(steps, row.provenance)),
        missing=tuple(missing),
    )


def _is(label: str, node: str) -> bool:
    return label.rpartition("/")[2][2:].partition("@")[0] == node


def _row(record: dict[str, Any]) -> Row:
    held = dict(record.get("row", record))
    held.pop("id", None)
    return Row.model_validate(held)


def _places(steps: Sequence[Step], name: str) -> list[tuple[Place, dict[str, Any]]]:
    found = []
    for step in steps:
        for row in step.index.where(name):
            record, (file, line) = step.index.line(row), step.index.at(row)
            said = record.get("evidence") if "row" in record else None
            place = Place(step=step.label, file=file, line=line, reason=_reason(record), evidence=said)
            found.append((place, record))
    return found


def _changed(steps: Sequence[Step], row: Row, known: set[str]) -> Iterator[Place]:
    """The row under another id, in steps that do not have it: before a filter changed it, or after. What it was made from
    and how stays the same; where several are alike in that, none is named."""
    made = row.provenance
    for step in steps:
        if step.label in known:
            continue
        columns = step.index.columns
        if made.parents:
            beside = columns["child"][columns["parent"] == number(made.parents[0])]
        else:
            beside = (columns["root"] == number(made.root)).nonzero()[0]
        records = [(int(place), step.index.line(int(place))) for place in beside[:ALIKE]]
        alike = [(place, record) for place, record in records if _row(record).provenance == made]
        if len(alike) == 1:
            ((place, record),) = alike
            file, line = step.index.at(place)
            yield Place(step=step.label, file=file, line=line, reason=_reason(record), as_id=_row(record).id)


def _reason(record: dict[str, Any]) -> str | None:
    return f"{record['filter']}.{record['reason']}" if "row" in record else None


def _judged(run: Run, record: dict[str, Any]) -> Iterator[Judgement]:
    """What each filter of the recipe made of it, in the order in which they judged."""
    row = _row(record)
    real = row.provenance.source == "real"
    dropped = record.get("filter")
    for spec in in_order(run.recipe.filter):
        if real and not spec.judges_real:
            continue
        if spec.kind == dropped:
            yield Judgement(filter=spec.label, verdict=f"dropped: {record['reason']}", score=record["score"])
            break
        yield Judgement(filter=spec.label, verdict="passed", score=row.scores.get(spec.label))
    else:
        if dropped:
            yield Judgement(filter=dropped, verdict=f"dropped: {record['reason']}", score=record["score"])
    yield from (Judgement(filter=kind, verdict="would drop") for kind in record.get("also", ()))


def _learnt(run: Run, places: Sequence[Place]) -> Iterator[Learnt]:
    """The trainings that had it among their rows."""
    for node, training, arm in run.learners():
        of_arm = f"@{arm}" if arm else ""
        mix, file = f"{run.name}/3-mix{of_arm}", f"{training.READS}.jsonl"
        line = next((one.line for one in places if (one.step, one.file) == (mix, file)), None)
        path = run.folder / f"3-tokenise{of_arm}" / f"{training.READS}.arrow"
        if line is not None and path.is_file():
            length, learnt = _tokens(path, line - 1)
            yield Learnt(training=node, tokens=length, supervised=learnt, left_out=length > training.max_length)


def _tokens(path: Path, row: int) -> tuple[int, int]:
    """Tokens of a row and those of them that are learnt: the tokenise step keeps the order of the mix."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        for batch in pa.ipc.open_stream(source):
            if row < len(batch):
                return int(batch.column("length")[row].as_py()), int(batch.column("learnt")[row].as_py())
            row -= len(batch)
    raise SourceError("has fewer rows than the mix", where=str(path), hint="`distill verify RUN` says what changed")


def _terms(row: Row, registry: Registry) -> Iterator[Term]:
    for term in row.provenance.terms:
        entries = registry.of(term)
        for entry in entries:
            yield Term(id=term, name=entry.name, outputs=entry.outputs, address=entry.source.address)
        if not entries:
            yield Term(id=term, name="")


def _parents(steps: Sequence[Step], made: Provenance) -> Iterator[Parent]:
    """The rows that one was made from, and what these were made from. A parent is less deep than what was made of it, which
    tells it from a row that says the same and so has the same id."""
    for name in made.parents:
        found = [(place, _row(record)) for place, record in _places(steps, name)]
        found = [(place, row) for place, row in found if row.provenance.depth < made.depth]
        if not found:
            yield Parent(id=name)
            continue
        row = found[0][1]
        places = tuple(place for place, _ in found)
        yield Parent(id=name, row=row, places=places, parents=tuple(_parents(steps, row.provenance)))
