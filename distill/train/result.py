"""what was trained -> adapter/, student.json, README.md, summary.json: a folder that is a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.cards import UNKNOWN, Ingredient, ModelCard, ingredients, model_card
from distill.context import Context, Resolved
from distill.engines import adapters, models
from distill.engines.teacher import Teacher
from distill.protocols import Summary
from distill.rows import Row, read_rows
from distill.train import checkpoints

if TYPE_CHECKING:
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
    model: Any,
    summary: Summary,
    start: Path | None = None,
) -> None:
    """All files of the finished student; `summary.json` last, as from then on the training state may go.

    Args:
        start: the student that it went on with.
    """
    out = watched.out
    adapters.save(model, out / "adapter")
    base = Ingredient("base", source.origin, spec.student.terms or source.terms)
    asked = taught_by(spec.teacher, watched.context) if spec.teacher else None
    parts = (*ingredients(rows), *([asked.ingredient] if asked else []))
    record = describe(spec, source, rows, watched.template, (base, *parts), start, asked)
    _write_json(out / FILE, record)
    seen = {row.provenance.root for row in rows}.union(
        *map(models.trained_on, (source.path, *([start] if start else [])))
    )
    (out / models.TRAINED_ON).write_text("".join(f"{root}\n" for root in sorted(seen)), encoding="utf-8")
    counts = {name: summary["counts"][name] for name in ("rows", "steps", "supervised_tokens", "trainable_parameters")}
    card = ModelCard(
        name=f"Student of {len(rows)} rows from {Path(source.ref).name}",
        base=base,
        data=parts,
        drop_layers=spec.student.drop_layers,
        lora=spec.student.lora.model_dump(),
        training={**spec.train.model_dump(exclude_none=True), "seed": spec.seed, **counts},
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
    teacher: Taught | None = None,
) -> dict[str, Any]:
    """The contents of `student.json`: what `engines.models` needs to load it, and what its own students inherit."""
    terms = dict.fromkeys(term for part in made_from for term in part.terms or (UNKNOWN,))
    before = [json.loads((path / FILE).read_text(encoding="utf-8")) for path in _before(source, start)]
    inherited = max((one["depth"] for one in before), default=0)
    terms |= dict.fromkeys(term for one in before for term in one["terms"])
    return {
        "base": {
            "ref": source.ref,
            "path": str(source.path),
            "revision": source.revision,
            "terms": list(spec.student.terms or source.terms),
        },
        "drop_layers": list(spec.student.drop_layers),
        "adapter": "adapter",
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


def _before(source: Resolved, start: Path | None) -> list[Path]:
    """Folders of the students that this one goes on with."""
    return [path for path in (source.path, start) if path is not None and (path / FILE).is_file()]


def tidy(out: Path) -> None:
    """Make each checkpoint a student of its own and take its training state away. Can be done again after a kill."""
    record = json.loads((out / FILE).read_text(encoding="utf-8"))
    for folder in checkpoints.whole(out / "checkpoints"):
        _write_json(folder / FILE, {**record, "adapter": "."})
        checkpoints.strip(folder)


def _write_json(path: Path, record: dict[str, Any]) -> None:
    half = path.with_name(f".{path.name}")
    half.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    half.replace(path)
