"""shards of rows + a chain -> the files of the filter stage, judged by many tasks at once on machines that datatrove finds.

    phase 1   filters that judge a row alone      every task its part of the shards
    phase 2   filters that must see all rows      one task, in the order of the shards
    …                                             in turn, as the chain names them
    last      kept.jsonl, dropped.jsonl, ledger   one task

Between phases judged rows lie in parts beside the result, so that a killed job goes on with the parts that are missing.
The rows kept are those that one process keeps, in the same order. datatrove is told nothing but what to call.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from distill.context import Context
from distill.errors import ArtifactError, LaunchError
from distill.filter import executors, spool
from distill.filter.alone import holding, released
from distill.filter.chain import AnyFilter, Chain, fresh, in_order, judged_batches
from distill.filter.given import Given
from distill.filter.ledger import Ledger
from distill.filter.stage import Spec, bindings
from distill.filter.written import Written
from distill.protocols import Judged
from distill.rows import digest

PART_ROWS = 10_000
"""Rows of a part that one task writes for many."""
AGAIN = "parts were removed while the job ran: remove {} and run the same command again"
NUMBER = re.compile(r"\bnone\b|\d[\d,.]*")
"""What two parts say differently of the same matter."""


@dataclass(frozen=True)
class Job:
    """All that a task must know; it travels to other machines, which see the same folders."""

    spec: Spec
    inputs: Mapping[str, Path]
    """`split` and what else is evaluated on."""
    context: Context
    given: Given
    out: Path

    @cached_property
    def filters(self) -> tuple[AnyFilter, ...]:
        """In the order in which they judge."""
        return in_order(self.spec.filter)

    @cached_property
    def phases(self) -> list[tuple[int, int, bool]]:
        """First filter, end, and whether tasks share the rows."""
        found, start = [], 0
        for alone, group in groupby(self.filters, key=lambda one: one.scope == "row"):
            end = start + len(list(group))
            found.append((start, end, alone))
            start = end
        return found

    @property
    def work(self) -> Path:
        """Where parts and logs lie until the job is done: of another chain or other rows, another folder."""
        revisions = {ref: one.revision for ref, one in self.context.resolved.items()}
        folders = sorted(str(path.resolve()) for path in self.inputs.values())
        key = digest([self.spec.model_dump(mode="json"), revisions, folders, self.given.origin])[:12]
        return self.out.with_name(f".{self.out.name}.{key}")


class Phase:
    """Some filters of the chain over parts; datatrove calls it once for each task."""

    def __init__(self, job: Job, number: int) -> None:
        self.job, self.number = job, number

    def __repr__(self) -> str:
        start, end, _ = self.job.phases[self.number]
        return f"filters {', '.join(one.kind for one in self.job.filters[start:end])}"

    def __call__(self, data: object = None, rank: int = 0, world_size: int = 1) -> None:  # noqa: ARG002
        start, end, alone = self.job.phases[self.number]
        spec = self.job.spec.model_copy(update={"filter": self.job.filters[start:end]})
        folder = self.job.work / str(self.number)
        folder.mkdir(parents=True, exist_ok=True)
        with closing((bound := bindings(spec, self.job.inputs, self.job.context, of_file=True)).open):
            chain, parts = Chain(spec.filter, bound), parts_before(self.job, self.number)
            if not alone:
                read: Counter[str] = Counter()
                _cut(chain.further(_counted(_all(self.job, parts), read)), folder)
                _report(folder / "000000.json", read, chain)
                return
            for place in range(rank, len(parts), world_size):
                read = Counter()
                _write(folder / f"{place:06}.jsonl", chain.further(_counted(_part(self.job, parts[place]), read)))
                _report(folder / f"{place:06}.json", read, chain)


class Books:
    """The last parts -> the files of the filter stage."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def __repr__(self) -> str:
        return f"writes {self.job.out}"

    def __call__(self, data: object = None, rank: int = 0, world_size: int = 1) -> None:  # noqa: ARG002
        job, ledger = self.job, Ledger()
        draft = job.work / "new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        judged = _all(job, parts_before(job, len(job.phases)))
        if job.phases:
            read, ledger.said = _reported(job)
            for method, count in read.items():
                ledger.ask(method, count=count)
        else:
            judged = fresh(ledger.asking(job.given))
        with Written(draft, ledger, ("kept", "dropped")) as written:
            for result in judged:
                written.enter(result)
        ledger.check(job.work, AGAIN.format(job.work))
        ledger.write(draft)
        shutil.rmtree(job.out, ignore_errors=True)
        draft.replace(job.out)
        for number in range(len(job.phases)):
            shutil.rmtree(job.work / str(number))
        for other in job.out.parent.glob(f".{job.out.name}.{'[0-9a-f]' * 12}"):
            if other != job.work:
                shutil.rmtree(other)  # of a job with the same end that was given up
        released(job.out)


def run(job: Job, tasks: int, executor: str, options: Mapping[str, Any]) -> str:
    """Judge all shards; returns when they are judged, or at once with a line on where the job waits.

    Args:
        options: arguments of datatrove's executor, such as `time` and `partition` of Slurm.

    Raises:
        LaunchError: datatrove or the scheduler is not on this machine, or an option that the executor does not take.
        DistillError: another job writes to the same place.
        ArtifactError: parts were lost.
    """
    kind = executors.executor(executor)
    told = executors.arguments(executor, kind, options)
    with holding(job.out) as held:
        last = _run(job, tasks, kind, told)
        if executor == "slurm":
            held(str(last.job_id))
            jobs = len(job.phases) + 1
            return f"submitted {jobs} jobs, the last is {last.job_id}; logs: {job.work / 'logs'}; rows: {job.out}"
        shutil.rmtree(job.work)
    return ""


def _run(job: Job, tasks: int, kind: Any, told: Mapping[str, Any]) -> Any:
    """Each phase after the one before; the executor of the last."""
    shards = len(job.given.shards)
    if (job.work / "logs" / str(len(job.phases)) / "completions" / "00000").is_file():
        shutil.rmtree(job.work)  # of a job that was done: this one starts anew
    job.work.mkdir(parents=True, exist_ok=True)
    steps: list[tuple[Phase | Books, int]] = [
        (Phase(job, number), min(tasks, shards) if alone else 1) for number, (_, _, alone) in enumerate(job.phases)
    ]
    last = None
    for number, (step, count) in enumerate([*steps, (Books(job), 1)]):
        logs = str(job.work / "logs" / str(number))
        try:
            last = kind([step], tasks=count, logging_dir=logs, depends=last, **told)
        except TypeError as error:
            raise LaunchError(f"datatrove's {kind.__name__}: {error}", where="--option") from error
    assert last is not None
    last.run()
    return last


def parts_before(job: Job, number: int) -> list[Path]:
    """What a phase reads: the shards, or the parts that the phase before it wrote."""
    return sorted((job.work / str(number - 1)).glob("*.jsonl")) if number else job.given.shards


def _all(job: Job, parts: Iterable[Path]) -> Iterator[Judged]:
    for part in parts:
        yield from _part(job, part)


def _part(job: Job, path: Path) -> Iterator[Judged]:
    if path.parent.parent != job.work:
        yield from fresh(job.given.of(path))
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield from spool.from_line(line)


def _counted(results: Iterable[Judged], read: Counter[str]) -> Iterator[Judged]:
    """The same, counted by method as they are read."""
    for result in results:
        read[result.row.provenance.method] += 1
        yield result


def _report(path: Path, read: Mapping[str, int], chain: Chain) -> None:
    """What was read, and what the filters had to say of it, beside the part that was made of it."""
    said, chain.notes = chain.notes, []
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"read": read, "notes": said}), encoding="utf-8")
    draft.replace(path)


def _reported(job: Job) -> tuple[Counter[str], list[str]]:
    """Rows by method as the first phase read them, and notes of all phases.

    Raises:
        ArtifactError: not every shard was read, or a report is gone.
    """
    total: Counter[str] = Counter()
    said: list[str] = []
    for number, (_, _, alone) in enumerate(job.phases):
        reports = sorted((job.work / str(number)).glob("*.json"))
        expected = len(parts_before(job, number)) if alone else 1
        if len(reports) != expected:
            raise ArtifactError(
                f"{Phase(job, number)!r}: {len(reports)} of {expected} parts are there",
                where=str(job.work / str(number)),
                hint=AGAIN.format(job.work),
            )
        found = [json.loads(report.read_text(encoding="utf-8")) for report in reports]
        said += joined(note for one in found for note in one["notes"])
        for one in found if number == 0 else []:
            total.update(one["read"])
    return total, said


def joined(notes: Iterable[str]) -> list[str]:
    """Notes of many parts: of those that differ in their numbers only the first, with the number of the others."""
    alike: dict[str, list[str]] = {}
    for note in notes:
        alike.setdefault(NUMBER.sub("#", note), []).append(note)
    return [
        one[0] if len(one) == 1 else f"{one[0]} (of one part; {len(one) - 1} others say the like)"
        for one in alike.values()
    ]


def _write(path: Path, results: Iterable[Judged]) -> None:
    """A part is whole or absent."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        for batch in judged_batches(results):
            file.write(spool.to_line(batch))
    draft.replace(path)


def _cut(results: Iterable[Judged], folder: Path) -> None:
    """One stream as parts, for many tasks to take up."""
    numbered = groupby(enumerate(results), key=lambda one: one[0] // PART_ROWS)
    for number, part in numbered:
        _write(folder / f"{number:06}.jsonl", (result for _, result in part))
