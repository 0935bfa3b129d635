"""what was trained -> adapter/ or weights/, student.json, README.md, summary.json: a folder that is a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.cards import UNKNOWN, Ingredient, ModelCard, ingredients, model_card
from distill.context import Context, Resolved
from distill.engines import models
from distill.engines.teacher import Teacher
from distill.protocols import Summary
from distill.rows import Row, read_rows
from distill.train import checkpoints
from distill.train.learner import ADAPTER, WEIGHTS, kind

if TYPE_CHECKING:
    from distill.train.keep import Kept
    from distill.train.settings import Spec
    from distill.train.watch import Watched

FILE = "student.json"


def summary_of(out: Path) -> Summary | None:
    """What a run that was killed after all was written would have returned."""
    path = out / "summary.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def rows_of(path: Path, ids: Sequence[str]) -> list[Row]:
    """Those of a file of rows that were learnt from."""
    learnt = set(ids)
    return [row for row in read_rows(path) if row.id in learnt]


def write(
    spec: Spec,
    source: Resolved,
    watched: Watched,
    rows: Sequence[Row],
    kept: Kept,
    summary: Summary,
    start: Path | None = None,
    adapter: Resolved | None = None,
) -> None:
    """All files of the finished student; `summary.json` last, as from then on the training state may go.

    Args:
        kept: the checkpoint that it is.
        start: the student that it went on with.
        adapter: what the first training went on with.
    """
    out, student = watched.out, spec.student
    checkpoints.take(checkpoints.folder_of(watched.checkpoints, kept.step), out / kind(student))
    base = Ingredient("base", source.origin, student.terms or source.terms)
    worn = [Ingredient("adapter", adapter.origin, adapter.terms)] if adapter else []
    asked = taught_by(spec.teacher, watched.context) if spec.teacher else None
    parts = (*ingredients(rows), *([asked.ingredient] if asked else []))
    record = describe(spec, source, rows, watched.template, (base, *worn, *parts), start, adapter, asked)
    _write_json(out / FILE, record)
    before = [path for path in (source.path, start, adapter.path if adapter else None) if path]
    seen = {row.provenance.root for row in rows}.union(*map(models.trained_on, before))
    (out / models.TRAINED_ON).write_text("".join(f"{root}\n" for root in sorted(seen)), encoding="utf-8")
    counts = {name: summary["counts"][name] for name in ("rows", "steps", "supervised_tokens", "trainable_parameters")}
    card = ModelCard(
        name=f"Student of {len(rows)} rows from {Path(source.ref).name}",
        base=base,
        adapter=worn[0] if worn else None,
        data=parts,
        drop_layers=student.out,
        lora=student.lora.model_dump() if student.lora and not adapter else {},
        quantization=student.quantization,
        whole=student.lora is None,
        training={**spec.train.model_dump(exclude_none=True), "seed": spec.seed, **counts, "student": kept.words},
        template=watched.template,
        depth=record["depth"],
        loss=spec.train.LOSS,
        texts=sum(row.kind == "text" for row in rows),
    )
    (out / "README.md").write_text(model_card(card), encoding="utf-8")
    _write_json(out / "summary.json", summary)


def describe(
    spec: Spec,
    source: Resolved,
    rows: Sequence[Row],
    template: str,
    made_from: Sequence[Ingredient],
    start: Path | None = None,
    adapter: Resolved | None = None,
    teacher: Taught | None = None,
) -> dict[str, Any]:
    """The contents of `student.json`: what `engines.models` needs to load it, and what its own students inherit."""
    terms = dict.fromkeys(term for part in made_from for term in part.terms or (UNKNOWN,))
    before = [json.loads((path / FILE).read_text(encoding="utf-8")) for path in _before(source, start, adapter)]
    inherited = max((one["depth"] for one in before), default=0)
    terms |= dict.fromkeys(term for one in before for term in one["terms"])
    student = spec.student
    went_on = {"ref": adapter.ref, "revision": adapter.revision, "terms": list(adapter.terms)} if adapter else None
    return {
        "base": {
            "ref": source.ref,
            "path": str(source.path),
            "revision": source.revision,
            "terms": list(student.terms or source.terms),
        },
        "drop_layers": list(student.out),
        kind(student): kind(student),
        "quantization": student.quantization,
        "started_on": went_on,
        "template": template,
        "objective": spec.train.objective,
        "teacher": {"origin": teacher.origin, "terms": list(teacher.terms)} if teacher else None,
        "depth": max(inherited, 1 + teacher.depth if teacher else 0, *(row.provenance.depth for row in rows)),
        "terms": list(terms),
    }


@dataclass(frozen=True)
class Taught:
    """A teacher that was there while the student learnt."""

    origin: str
    terms: tuple[str, ...]
    depth: int

    @property
    def ingredient(self) -> Ingredient:
        return Ingredient("teacher", self.origin, self.terms)


def taught_by(teacher: Teacher, context: Context) -> Taught:
    """What a student owes to it, whoever wrote the rows; one that was itself distilled brings its depth along."""
    parts = [context.resolved[ref] for ref in teacher.weights]
    terms = dict.fromkeys(teacher.terms or [term for part in parts for term in part.terms or (UNKNOWN,)])
    students = [part.path / FILE for part in parts if (part.path / FILE).is_file()]
    depths = [json.loads(path.read_text(encoding="utf-8"))["depth"] for path in students]
    return Taught("+".join(part.origin for part in parts), tuple(terms), max(depths, default=0))


def _before(source: Resolved, start: Path | None, adapter: Resolved | None) -> list[Path]:
    """Folders of the students that this one goes on with."""
    paths = (source.path, start, adapter.path if adapter else None)
    return [path for path in paths if path is not None and (path / FILE).is_file()]


def tidy(out: Path) -> None:
    """Make each checkpoint a student of its own and take its training state away. Can be done again after a kill."""
    record = json.loads((out / FILE).read_text(encoding="utf-8"))
    for folder in checkpoints.whole(out / "checkpoints"):
        if not checkpoints.drop_unplanned(folder):
            _write_json(folder / FILE, {**record, **{name: "." for name in (ADAPTER, WEIGHTS) if name in record}})
            checkpoints.strip(folder)


def _write_json(path: Path, record: dict[str, Any]) -> None:
    half = path.with_name(f".{path.name}")
    half.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    half.replace(path)
