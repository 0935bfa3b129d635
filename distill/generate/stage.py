"""training prompts -> rows.jsonl, failures.jsonl: candidates are asked on until the filters have accepted enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from distill.context import Context
from distill.errors import SourceError
from distill.generate.books import counts, notes, shortfall, write_failures
from distill.generate.drive import Driver
from distill.generate.method import Candidate, MethodSpec, Work
from distill.generate.purse import Purse
from distill.generate.rounds import Rounds
from distill.generate.settings import Budget, Generate, Spec
from distill.generate.spent import Limit
from distill.generate.streams import Stream
from distill.generate.teacher import Staff, staff
from distill.protocols import Summary
from distill.rows import Row, digest, read_rows, write_rows
from distill.suites.heldout import evaluated

VERSION = 3
Over = Callable[[Work, Candidate], Candidate]


def templates_digest(methods: Sequence[MethodSpec]) -> str:
    """Hash of the prompt files that methods ask with: an edited prompt makes new rows. Empty where there are none."""
    texts = [[method.kind, method.texts] for method in methods if method.texts]
    return digest(texts)[:16] if texts else ""


def side_rows(split: Path, side: Literal["train", "heldout"], methods: Sequence[MethodSpec]) -> dict[str, list[Row]]:
    """One side of the data sets that methods start from, by name."""
    folder = split / side
    rows = {}
    for name in dict.fromkeys(name for method in methods for name in method.reads):
        path = folder / f"{name}.jsonl"
        if not path.is_file():
            there = ", ".join(sorted(other.stem for other in folder.glob("*.jsonl"))) or "none"
            raise SourceError(f"no rows of {name!r}; there are: {there}", where=str(folder))
        rows[name] = list(read_rows(path))
    return rows


def roots_of(rows: Iterable[Row]) -> frozenset[str]:
    """The roots that rows descend from, and those of what they ask."""
    return frozenset(root for row in rows for root in row.roots)


def streams_of(
    generate: Generate, rows: Mapping[str, Sequence[Row]], models: Staff, over: Over = lambda _, candidate: candidate
) -> list[Stream]:
    """Every stream of every method with its quota and the candidates it offers.

    Args:
        over: puts a candidate of its own over each of a method's.
    """
    streams = []
    for method, named, quotas in zip(generate.methods, generate.streams, generate.quotas, strict=True):
        author = models.author(method.teacher, method.sampling.over(generate.sampling), method.notes)
        own = {name: rows[name] for name in method.reads}
        for part, name in named.items():
            work = Work(name, author, models.cast, own, part)
            candidates = map(partial(over, work), method.candidates(work))
            streams.append(Stream(name, quotas[name], candidates, ", ".join(method.reads)))
    return streams


def driver_of(budget: Budget, models: Staff, context: Context) -> Driver:
    """What asks the teachers, and stops where the budget is spent."""
    limit = Limit(budget.tokens or math.inf, budget.cost or math.inf)
    return Driver(models, context, Purse(limit, models.prices))


def rounds_of(spec: Spec, inputs: Mapping[str, Path], models: Staff, context: Context) -> Rounds:
    """A generation that has not begun."""
    generate = spec.wanted
    driver = driver_of(generate.budget, models, context)
    streams = streams_of(generate, side_rows(inputs["split"], "train", generate.methods), models)
    held_out = roots_of(evaluated(inputs))
    return Rounds(streams, driver, context, generate.candidates, generate.min_yield, held_out)


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write `rows.jsonl` (every parsed candidate in request order) and `failures.jsonl`.

    Raises:
        YieldError: fewer rows accepted than asked for, the budget spent, or a yield under the floor; the answers stay
            in the store.
    """
    with staff(spec.teachers, spec.generate.sampling, spec.seed, context) as models:
        rounds = rounds_of(spec, inputs, models, context)
        templates = {name: author.template for name, author in models.cast.items()}
        rounds.run()
    if not rounds.filled:
        raise shortfall(rounds, spec.generate.budget)
    if context.ranks.main:
        write_rows(out / "rows.jsonl", (asked.outcome.row for asked in rounds.asked if asked.outcome.row is not None))
        write_failures(out / "failures.jsonl", rounds.asked)
    return {
        **counts(rounds.asked),
        **rounds.driver.spent.bill(),
        "rounds": rounds.rounds,
        "templates": templates,
        "notes": notes(rounds),
    }
