"""a run -> the Hub: its student with card and report as a model, its rows with theirs as a data set.

    REPO           adapter or merged model as `distill export` writes it, README.md; of the last training's student
                   report/report.{html,md,json}
    --data REPO    the mix's rows by split, README.md, croissant.json, LICENSE.md, licences/

All of it is put together in a folder first, freed of what belongs to this machine, searched for secrets, and listed. Only
`upload` uses the network. Repositories are private unless the user says otherwise.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import yaml

from distill import card_terms, croissant, export, intent, leaving
from distill.errors import DistillError, SourceError, TermsError
from distill.export import Format
from distill.load import load_recipe
from distill.sources import hub
from distill.terms import shipping
from distill.terms.entry import Form
from distill.terms.input import IN_ROWS
from distill.workspace import RESOLVED, Workspace, reopen

REPORT = ("report.html", "report.md", "report.json")
FOLDER = "report"
BESIDE = ("README.md", croissant.FILE, shipping.OVERVIEW, shipping.FOLDER)
"""What goes with the rows."""
REPLACED = {
    "model": ("adapter_*", "*.safetensors", "*.safetensors.index.json", "config.json", f"{FOLDER}/*"),
    "dataset": ("*.jsonl",),
}
"""What an earlier push may have left there: an adapter beside a merged model would be loaded on top of it."""


@dataclass(frozen=True)
class Parcel:
    """What goes into one repository."""

    repo: str
    kind: Literal["model", "dataset"]
    form: Form
    """As terms know it."""
    folder: Path

    def listed(self) -> str:
        found = [(path.relative_to(self.folder).as_posix(), path.stat().st_size) for path in leaving.files(self.folder)]
        width = max(len(name) for name, _ in found)
        return "\n".join(
            [f"{self.kind} {self.repo}", *(f"  {name.ljust(width)}  {size:>13,} bytes" for name, size in found)]
        )


@dataclass(frozen=True)
class Asked:
    """What of a run is to be pushed, and where to."""

    repo: str | None
    data: str | None = None
    node: str | None = None
    step: int | None = None
    form: Format | None = None


@contextmanager
def parcels(run: Path, cache: Path, asked: Asked) -> Iterator[list[Parcel]]:
    """Everything that would be pushed, in folders that are there inside.

    Raises:
        DistillError: nothing was asked for, a secret, or a student that cannot be published in that form.
        SourceError: the run has not got so far.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    for repo in (asked.repo, asked.data):
        try:
            validate_repo_id(repo or "fine")
        except HFValidationError as error:
            raise DistillError(str(error), where="push", hint="write ORGANISATION/NAME") from error
    if not asked.repo and not asked.data:
        raise DistillError(
            "nothing is asked for", where="push", hint="name a repository for the student, or --data REPO"
        )
    workspace = reopen(run, cache)
    (cache / ".work").mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="push-", dir=cache / ".work") as place:
        found = []
        if asked.repo:
            form = _form(workspace, run, asked)
            found.append(Parcel(asked.repo, "model", form, _model(run, cache, asked, form, Path(place) / "model")))
        if asked.data:
            found.append(Parcel(asked.data, "dataset", "rows", _rows(workspace, run, Path(place) / "data")))
        for parcel in found:
            leaving.clean(parcel.folder, _named(workspace), (workspace.base, workspace.runs, cache, run, Path(place)))
            leaving.refuse_secrets(parcel.folder)
            (export if parcel.kind == "model" else croissant).seal(parcel.folder)
        yield found


def _form(workspace: Workspace, run: Path, asked: Asked) -> Format:
    """The one that was asked for, if others could load it; else the adapter where it fits a model of the hub."""
    from distill.engines import models

    student = models.student_file(export.student_of(run, workspace.cache, asked.node, asked.step).path)
    assert student is not None  # a run's reference that is none was refused
    whole = student.adapter is None or not export.published(student)
    if asked.form == "adapter" and whole:
        raise DistillError(
            f"its base is no model of the hub as it is there: {Path(student.base.ref).name}"
            + (" without some layers" if student.drop_layers else ""),
            where="push",
            hint="--format merged: one model with all in its weights",
        )
    return asked.form or ("merged" if whole else "adapter")


def _model(run: Path, cache: Path, asked: Asked, form: Format, out: Path) -> Path:
    export.export(run, out, cache, asked.node, asked.step, form, stays=False)
    report = run / "6-compare"
    # The report is of the student that the last training ended with.
    of_it = asked.step is None and asked.node in (None, load_recipe(run / RESOLVED).train_names[-1])
    if of_it and (report / "report.json").is_file():
        (out / FOLDER).mkdir()
        for name in REPORT:
            shutil.copyfile(report / name, out / FOLDER / name)
    _write_card(out, asked, reported=(out / FOLDER).is_dir())
    return out


def _write_card(out: Path, asked: Asked, reported: bool) -> None:
    """The card as it reads where the folder is a repository, with links to what was pushed beside it."""
    path = out / "README.md"
    card = (
        path.read_text(encoding="utf-8").replace("THIS FOLDER", str(asked.repo)).replace("THIS_FOLDER", str(asked.repo))
    )
    if reported:
        card = card.replace("(`report.md`)", f"([{FOLDER}/report.md]({FOLDER}/report.md))")
    if asked.data:
        _, head, body = card.split("---\n", 2)
        front = yaml.safe_load(head)
        front["datasets"] = [asked.data, *front.get("datasets", [])]
        card = f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n{body}"
    path.write_text(card, encoding="utf-8")


def _rows(workspace: Workspace, run: Path, out: Path) -> Path:
    """The files that the mix's card names, the card, and the licences of what went in."""
    mix = run / "3-mix"
    if not (mix / "README.md").is_file():
        raise SourceError("it has no rows yet", where=str(run), hint="run its recipe up to mix")
    out.mkdir()
    for path in (*sorted(mix.glob("*.jsonl")), *(mix / name for name in BESIDE)):
        if path.is_dir():
            shutil.copytree(path, out / path.name)
        elif path.is_file():
            shutil.copyfile(path, out / path.name)
    _write_terms(workspace, mix, out)
    return out


def _write_terms(workspace: Workspace, mix: Path, out: Path) -> None:
    """What may be done with the rows, by all that the recipe's owner says, as `export` writes it for a student."""
    went_in = [one for one in intent.all_that_went_in(workspace, mix.parent) if one.role in IN_ROWS]
    places: dict[str, Path] = {}
    with suppress(DistillError):  # what it refers to need not be on this machine: the mix has the licences from then
        places = {source.origin: source.path for source in workspace.resolved.values()}
    parts = shipping.parts(went_in, places)
    recipe, registry = workspace.recipe, intent.registry(workspace)
    name = recipe.terms.name or recipe.name
    section = card_terms.section(parts, registry, ("rows",), name, recipe.terms.accept, recipe.use)
    shipping.write(out, shipping.shipped(parts, ("rows",), registry))
    card = out / "README.md"
    card.write_text(card_terms.replaced(card.read_text(encoding="utf-8"), section), encoding="utf-8")


def _named(workspace: Workspace) -> Mapping[str, str]:
    """Absolute paths in the recipe -> what others may read of them."""
    refs = (ref.partition(":")[2] if ref.startswith("rows:") else ref for ref in workspace.recipe.references)
    return {ref: Path(ref).name for ref in refs if ref.startswith(("/", "~"))}


def upload(parcel: Parcel, run: Path, private: bool) -> str:
    """Send it, note it in the run, and return where it is; see `hub.upload`."""
    message = f"distill push {run.name}"
    address = hub.upload(parcel.folder, parcel.repo, parcel.kind, private, message, REPLACED[parcel.kind])
    said = parcel.folder / export.FILE
    of = json.loads(said.read_text(encoding="utf-8"))["student"] if said.is_file() else f"run:{run.name}/mix"
    export.remember(run, address, of, parcel.form)
    return address


def permitted(run: Path, cache: Path, found: Sequence[Parcel], public: bool) -> str:
    """What the terms of all that went in say of giving this away: a line for whoever is about to.

    Raises:
        TermsError: it is for everybody, and they forbid that, or nobody has reviewed them.
    """
    forms = intent.of(str(run), "redistribute", run.parent, cache).forms
    own = {parcel.form: forms.get(parcel.form, "review") for parcel in found}
    refused = [f"{form} ({level})" for form, level in own.items() if level != "ok"]
    if public and refused:
        raise TermsError(
            f"the terms of what went in do not let everybody have it: {', '.join(refused)}",
            where="push --public",
            hint=f"`distill terms {run.name} --use redistribute` says whose; what was read goes into terms.accept",
        )
    said = ", ".join(f"{form} {level}" for form, level in own.items())
    return f"terms, if it were given away: {said} (`distill terms {run.name} --use redistribute` has conditions and reasons)"
