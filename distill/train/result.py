"""what was trained -> adapter/ or weights/, student.json, README.md, licences, summary.json: a folder that is a model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill import card_terms
from distill.cards import ASKED, UNKNOWN, Ingredient, ModelCard, ingredients, model_card
from distill.context import Context, Resolved
from distill.engines import layers, models
from distill.engines.teacher import Descent, descent
from distill.protocols import Summary
from distill.rows import Row, read_rows
from distill.terms import shipping
from distill.terms.entry import Form
from distill.terms.input import Input
from distill.terms.registry import shipped
from distill.train import checkpoints
from distill.train.learner import ADAPTER, WEIGHTS, kind

if TYPE_CHECKING:
    from distill.train.keep import Kept
    from distill.train.settings import Spec
    from distill.train.student import Student
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


def asked_about(mix: Path) -> tuple[Ingredient, ...]:
    """What the teacher was asked about that is among no rows itself, as the mix has it."""
    try:
        found = json.loads((mix / ASKED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    return tuple(Ingredient(**{**one, "terms": tuple(one["terms"])}) for one in found)


def write(
    spec: Spec,
    source: Resolved,
    watched: Watched,
    rows: Sequence[Row],
    kept: Kept,
    summary: Summary,
    start: Path | None = None,
    adapter: Resolved | None = None,
    taught: Descent | None = None,
    asked: Sequence[Ingredient] = (),
) -> None:
    """All files of the finished student; `summary.json` last, as from then on the training state may go.

    Args:
        kept: the checkpoint that it is.
        start: the student that it went on with.
        adapter: what the first training went on with.
        taught: the teacher whose distributions it learnt from.
        asked: what a teacher was asked about that is among no rows itself.
    """
    out, student = watched.out, spec.student
    checkpoints.take(checkpoints.folder_of(watched.checkpoints, kept.step), out / kind(student))
    _open_up(out / kind(student))
    base = Ingredient("base", source.origin, _terms(student, source))
    worn = [Ingredient("adapter", adapter.origin, adapter.terms)] if adapter else []
    parts = (*ingredients(rows), *asked, *([Ingredient("teacher", taught.origin, taught.terms)] if taught else ()))
    record = describe(spec, source, rows, watched.template, (base, *worn, *parts), start, adapter, taught)
    _write_json(out / FILE, record)
    _write_roots(out, rows, (source.path, start, adapter.path if adapter else None))
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
    went_in = [Input(one["role"], one["origin"], tuple(one["terms"])) for one in record["made_from"]]
    _write_card(card, went_in, out, {one.origin: one.path for one in watched.context.resolved.values()})
    _write_json(out / "summary.json", summary)


def _open_up(folder: Path) -> None:
    """What safetensors wrote for this user alone may be read by whom the folder is for: a cache may be shared."""
    for path in folder.iterdir():
        with suppress(OSError):  # a file system without modes
            path.chmod(path.stat().st_mode | folder.stat().st_mode & 0o666)


def _write_card(card: ModelCard, went_in: Sequence[Input], out: Path, places: dict[str, Path]) -> None:
    """README.md with what may be done with the student, and the licences that must travel with it."""
    parts = shipping.parts(went_in, places)
    forms: tuple[Form, ...] = ("merged",) if card.whole else ("adapter", "merged")
    shipping.write(out, shipping.shipped(parts, forms, shipped()))
    front = card_terms.front(parts, shipped())
    told = replace(card, terms=card_terms.section(parts, shipped(), forms), front=front)
    (out / "README.md").write_text(model_card(told), encoding="utf-8")


def _terms(student: Student, source: Resolved) -> tuple[str, ...]:
    """What the recipe states, and what was found besides: of a fork the terms of its base."""
    return tuple(dict.fromkeys((*student.terms, *source.terms)))


def describe(
    spec: Spec,
    source: Resolved,
    rows: Sequence[Row],
    template: str,
    made_from: Sequence[Ingredient],
    start: Path | None = None,
    adapter: Resolved | None = None,
    taught: Descent | None = None,
) -> dict[str, Any]:
    """The contents of `student.json`: what `engines.models` needs to load it, and what its own students inherit."""
    terms = dict.fromkeys(term for part in made_from for term in part.terms or (UNKNOWN,))
    before = [json.loads((path / FILE).read_text(encoding="utf-8")) for path in _before(source, start, adapter)]
    inherited = max((one["depth"] for one in before), default=0)
    terms |= dict.fromkeys(term for one in before for term in one["terms"])
    student = spec.student
    went_on = {"ref": adapter.ref, "revision": adapter.revision, "terms": list(adapter.terms)} if adapter else None
    teachers = {origin: names for one in before for origin, names in one.get("taught_by", {}).items()}
    teachers |= {taught.origin: list(taught.terms)} if taught else {}
    return {
        "base": {
            "ref": source.ref,
            "path": str(source.path),
            "revision": source.revision,
            "terms": list(_terms(student, source)),
        },
        "drop_layers": list(student.out),
        kind(student): kind(student),
        "quantization": student.quantization,
        "started_on": went_on,
        "template": template,
        "objective": spec.train.objective,
        "depth": max(inherited, taught.depth + 1 if taught else 0, *(row.provenance.depth for row in rows)),
        "terms": list(terms),
        "made_from": _made_from(made_from, taught, before),
        **({"taught_by": teachers} if teachers else {}),
    }


def so_far(spec: Spec, inputs: Mapping[str, Path], context: Context, out: Path) -> None:
    """Make a folder with a checkpoint of a training that is not done a student that can be asked: what `write` leaves beside
    it but terms and depth, which belong to the finished one."""
    found = layers.taken_out(spec.student.drop_layers, inputs)
    student, source = spec.student.model_copy(update={"drop_layers": found}), context.resolved[spec.student.model]
    spec = spec.model_copy(update={"student": student})
    start = inputs[spec.after] if spec.after else None
    adapter = context.resolved[student.adapter] if student.adapter else None
    _write_json(out / FILE, describe(spec, source, (), "", (), start, adapter))
    rows = read_rows(inputs["mix"] / f"{spec.train.READS}.jsonl")
    _write_roots(out, rows, (source.path, start, adapter.path if adapter else None))


def _write_roots(out: Path, rows: Iterable[Row], before: Sequence[Path | None]) -> None:
    """Every prompt that the student and what it went on with were trained on."""
    seen = {row.provenance.root for row in rows}.union(*(models.trained_on(path) for path in before if path))
    (out / models.TRAINED_ON).write_text("".join(f"{root}\n" for root in sorted(seen)), encoding="utf-8")


def _made_from(
    made_from: Sequence[Ingredient], taught: Descent | None, before: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Everything that went in, by the part that it had, and all that went into the students that it goes on with."""
    went_in = card_terms.inputs(made_from)
    if taught is not None:
        went_in[-1] = replace(went_in[-1], role="teacher's distributions")
    found = {(one.role, one.origin): list(one.declared) for one in went_in}
    for one in (each for student in before for each in student.get("made_from", ())):
        found.setdefault((one["role"], one["origin"]), one["terms"])
    return [{"role": role, "origin": origin, "terms": terms} for (role, origin), terms in found.items()]


def taught_by(spec: Spec, inputs: Mapping[str, Path], context: Context) -> Descent | None:
    """The teacher whose distributions it learnt from: one that was asked meanwhile, or whose answers `score` kept."""
    if spec.teacher is not None:
        return descent(spec.teacher, context.resolved)
    folder = next((path for name, path in inputs.items() if name.partition("/")[0] == "score"), None)
    if folder is None:
        return None
    record = json.loads((folder / "teacher.json").read_text(encoding="utf-8"))
    return Descent(record["origin"], tuple(record["terms"]), record["depth"])


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
