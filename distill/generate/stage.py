"""training prompts -> rows.jsonl, failures.jsonl: candidates are asked on until the filters have accepted enough."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from distill.context import Context
from distill.engines.open import AnyEngine, open_engine
from distill.engines.transformers import Transformers
from distill.errors import SourceError
from distill.generate.answer import Answer
from distill.generate.books import counts, notes, shortfall, write_failures
from distill.generate.drive import Driver
from distill.generate.method import Author, Method
from distill.generate.rounds import Rounds, streams_of
from distill.generate.self_instruct import SelfInstruct
from distill.protocols import Engine, Sampling, Summary
from distill.quotas import quotas
from distill.rows import Frozen, Row, digest, read_rows, root_of, write_rows

VERSION = 1
AnyMethod = Annotated[Answer | SelfInstruct, Field(discriminator="kind")]


class Teacher(Frozen):
    model: str
    """Reference: hub id, folder, GGUF file, `package:` or `run:NAME/train`; of a served one `org/name[@COMMIT]`."""
    engine: AnyEngine = Transformers()
    terms: tuple[str, ...] = ()
    """Licence ids, where the model does not carry its own or it must be corrected."""


class Budget(Frozen):
    candidates: int | None = Field(None, gt=0)
    """Most candidates asked for; four times `rows` when not given."""


class Generate(Frozen):
    rows: int = Field(gt=0)
    """Teacher rows kept by the whole filter chain, before the mix."""
    methods: tuple[AnyMethod, ...] = Field(min_length=1)
    sampling: Sampling = Sampling()
    budget: Budget = Budget()
    min_yield: float = Field(0.0, ge=0, le=1)
    """Least share of candidates that must be kept; under it the run stops."""

    @model_validator(mode="after")
    def _possible(self) -> Generate:
        total = sum(method.share for method in self.methods)
        if abs(total - 1) > 1e-6:
            named = " + ".join(f"{method.kind} {method.share:g}" for method in self.methods)
            raise ValueError(f"the shares of the methods must sum to 1, not {total:g} ({named})")
        if self.candidates < self.rows:
            raise ValueError(f"budget.candidates {self.candidates} is less than rows {self.rows}")
        greedy = self.sampling.temperature == 0
        if greedy and any(isinstance(method, Answer) and method.samples > 1 for method in self.methods):
            raise ValueError("samples above 1 at temperature 0 give the same answer again; raise sampling.temperature")
        return self

    @property
    def candidates(self) -> int:
        """Most candidates asked for."""
        return self.budget.candidates or 4 * self.rows

    @property
    def shares(self) -> dict[str, float]:
        """Share of `rows` by kind of method; two of one kind have theirs added."""
        shares: dict[str, float] = {}
        for method in self.methods:
            shares[method.kind] = shares.get(method.kind, 0.0) + method.share
        return shares

    @property
    def quotas(self) -> list[int]:
        """Rows asked of each method, so that each kind has what the filter's quota of that kind is."""
        parts: dict[int, int] = {}
        for kind, rows in quotas(self.rows, self.shares).items():
            same = {str(place): m.share for place, m in enumerate(self.methods) if m.kind == kind}
            parts |= {int(place): part for place, part in quotas(rows, same).items()}
        return [parts[place] for place in range(len(self.methods))]


class Spec(Frozen):
    teacher: Teacher
    generate: Generate
    filter: tuple[dict[str, Any], ...]
    """The chain as the recipe has it: what is accepted decides what is asked, so it belongs to the key."""
    seed: int
    templates: str = ""
    """Hash of the prompt files the methods ask with: `templates_digest(generate.methods)`."""


def templates_digest(methods: Sequence[AnyMethod]) -> str:
    """Hash of the prompt files that methods ask with: an edited prompt makes new rows. Empty where there are none."""
    templates = {method.kind: method.template for method in methods if method.template}
    return digest(templates)[:16] if templates else ""


def open_teacher(teacher: Teacher, sampling: Sampling, seed: int, context: Context) -> tuple[Author, Engine]:
    """The teacher's engine, and what rows say of it. One that was itself distilled brings depth and terms along."""
    resolved = context.resolved[teacher.model]
    engine = open_engine(teacher.engine, teacher.model, context)
    terms, depth = teacher.terms or resolved.terms, 0
    student = resolved.path / "student.json"
    if student.is_file():
        made = json.loads(student.read_text(encoding="utf-8"))
        terms, depth = terms or tuple(made["terms"]), made["depth"]
    kind = {"engine": teacher.engine.kind, "dtype": getattr(teacher.engine, "dtype", None)}
    return Author(resolved.origin, terms, depth, sampling, seed, engine.template, kind), engine


def training_rows(split: Path, methods: Sequence[Method]) -> dict[str, list[Row]]:
    """The training side of the data sets that methods start from, by name."""
    folder = split / "train"
    rows = {}
    for name in dict.fromkeys(method.data for method in methods):
        path = folder / f"{name}.jsonl"
        if not path.is_file():
            there = ", ".join(sorted(other.stem for other in folder.glob("*.jsonl"))) or "none"
            raise SourceError(f"no training prompts of {name!r}; there are: {there}", where=str(folder))
        rows[name] = list(read_rows(path))
    return rows


def held_out_roots(split: Path) -> frozenset[str]:
    """Every root on the held-out side."""
    rows = (row for path in sorted((split / "heldout").glob("*.jsonl")) for row in read_rows(path))
    return frozenset(root for row in rows for root in (row.provenance.root, root_of(row.messages)))


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write `rows.jsonl` (every parsed candidate in request order) and `failures.jsonl`.

    Raises:
        YieldError: fewer rows accepted than asked for, or a yield under the floor; the answers stay in the store.
    """
    generate = spec.generate
    author, engine = open_teacher(spec.teacher, generate.sampling, spec.seed, context)
    methods = list(zip(generate.methods, generate.quotas, strict=True))
    streams = streams_of(methods, training_rows(inputs["split"], generate.methods), author)
    driver = Driver(engine, context)
    held_out = held_out_roots(inputs["split"])
    rounds = Rounds(streams, driver, context, generate.candidates, generate.min_yield, held_out)
    try:
        rounds.run()
    finally:
        engine.close()
    if not rounds.filled:
        raise shortfall(rounds)
    if context.ranks.main:
        write_rows(out / "rows.jsonl", (asked.outcome.row for asked in rounds.asked if asked.outcome.row is not None))
        write_failures(out / "failures.jsonl", rounds.asked)
    return {
        **counts(rounds.asked),
        "tokens": {"prompt": driver.prompt_tokens, "new": driver.new_tokens},
        "rounds": rounds.rounds,
        "template": engine.template,
        "notes": notes(rounds),
    }
