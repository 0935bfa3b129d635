"""a run + a source that may no longer be used -> what stands on it, what to change in the recipe, what to make anew and what
to take back. Writes nothing but, where it is asked to, the list of roots that a recipe leaves out (`split.without`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from distill.artifacts import MANIFEST
from distill.export import KNOWN
from distill.names import folder_name
from distill.recipe import Recipe
from distill.rows import Frozen
from distill.trail.source import Offspring, offspring, unknown
from distill.trail.steps import Run, Step
from distill.workspace import RESOLVED

if TYPE_CHECKING:
    from distill.trail.index import Mask

REMAINS = (
    "Answers to its prompts stay in the cache under answers/ until that is removed, and what was copied or pushed elsewhere "
    "is not known here.\nA student that has learnt from it cannot unlearn it: it has to be trained anew."
)


class Student(Frozen):
    node: str
    reference: str
    why: str


class Heir(Frozen):
    """Another run on this machine that takes something of this one."""

    run: str
    references: tuple[str, ...]


class Withdrawal(Frozen):
    source: str
    found: Offspring
    students: tuple[Student, ...]
    heirs: tuple[Heir, ...]
    exports: tuple[str, ...]
    """Folders and repositories that students and rows were exported or pushed to, as the run remembers."""
    change: tuple[str, ...]
    """What to change in the recipe."""
    anew: tuple[str, ...]
    """Nodes to be made again."""
    remove: tuple[str, ...]
    """Folders that hold its rows, or what learnt from them."""
    roots: tuple[str, ...] = ()
    """Of its prompts and documents, as `split.without` takes them."""


def withdraw(run: Run, source: str, root: bool = False) -> Withdrawal:
    """What a withdrawal comes to.

    Args:
        root: the source is a document or prompt, not a data set or model.

    Raises:
        SourceError: nothing of that name went into the run.
    """
    found, by_step = offspring(run, source, root)
    split = next((step for step in run.own if step.name[2:] == "split"), None)
    hit = next((hit for step, hit in by_step if split is not None and step.path == split.path), None)
    mine = {one.step: 0 for one in found.made}
    for one in found.made:
        mine[one.step] += one.rows
    touched = {step.name for step in run.own if mine.get(step.label)}
    students = tuple(_students(run, found, source))
    if found.empty and not students:
        raise unknown(run, source)
    touched |= {f"4-{folder_name(student.node)}" for student in students}
    anew = tuple(_downstream(run, touched))
    change, roots = _change(run, source, split, hit)
    return Withdrawal(
        source=source,
        found=found,
        students=students,
        heirs=tuple(_heirs(run.folder.absolute().parent, run.name, set())),
        exports=tuple(dict.fromkeys(_exports(run, rows=not found.empty, students=bool(students)))),
        change=tuple(change),
        anew=anew,
        remove=tuple(str((run.folder / name).resolve()) for name in anew if (run.folder / name).exists()),
        roots=tuple(roots),
    )


def _students(run: Run, found: Offspring, source: str) -> Iterator[Student]:
    """Trainings that learnt from its rows, that began with it, or that it taught."""
    rows = {one.training: one.rows for one in found.taught}
    for node, folder in run.trainings():
        said = json.loads((folder / "student.json").read_text(encoding="utf-8"))
        named = [*said.get("taught_by", {}), *(one["origin"] for one in said.get("made_from", ()))]
        named += [said["base"]["ref"]]
        part = any(source in (name, name.rpartition("@")[0]) for name in named)
        if rows.get(node) or part:
            why = f"{rows[node]:,} of its rows" if rows.get(node) else "made from it"
            yield Student(node=node, reference=f"run:{run.name}/{node}", why=why)


def _downstream(run: Run, touched: set[str]) -> Iterator[str]:
    """Steps of the run that are touched, and all that were made from these, in the order of the flow."""
    said = {}
    for path in sorted(run.folder.glob("[0-9]-*")):
        if (path / MANIFEST).is_file():
            said[path.name] = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    nodes = {one["node"]: name for name, one in said.items()}
    reached = set(touched)
    while True:
        more = {
            name
            for name, one in said.items()
            if name not in reached and any(nodes.get(need) in reached for need in one["identity"]["upstream"])
        }
        if not more:
            return (yield from (name for name in said if name in reached))
        reached |= more


def _heirs(runs: Path, name: str, seen: set[str]) -> Iterator[Heir]:
    """Runs that take rows or a student of a run, and those that take of these."""
    seen.add(name)
    for path in sorted(runs.glob(f"*/{RESOLVED}")):
        if path.parent.name in seen:
            continue
        # As text: a recipe of another version is no reason to miss what it takes.
        text = path.read_text(encoding="utf-8", errors="replace")
        named = dict.fromkeys(re.findall(rf"(?<![\w-])run:{re.escape(name)}/[^\s'\",\]}}]+", text))
        if named:
            yield Heir(run=path.parent.name, references=tuple(named))
            yield from _heirs(runs, path.parent.name, seen)


def _exports(run: Run, rows: bool, students: bool) -> Iterator[str]:
    """Where its rows went, and its students, where these are meant."""
    path = run.folder / KNOWN
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        known = json.loads(line)
        if rows if known.get("format") == "rows" else students:
            yield str(known["out"])


def _change(run: Run, source: str, split: Step | None, hit: Mask | None) -> tuple[list[str], list[str]]:
    """What to change in the recipe; and the roots to leave out, where only some rows of a data set are meant."""
    recipe, change, roots = run.recipe, list(_models(run.recipe, source)), list[str]()
    if split is None or hit is None or not hit.any():
        return change, roots
    columns = split.index.columns
    for name in recipe.real:
        own = [place for place, file in enumerate(split.index.files) if file.partition("/")[2] == f"{name}.jsonl"]
        mine = (columns["of"][:, None] == own).any(axis=1)
        some = hit & mine
        if some.any() and (some == mine).all():
            change += _data_set(recipe, name)
        elif some.any():
            roots += [f"{int(root):016x}" for root in columns["root"][some]]
    roots = list(dict.fromkeys(roots))
    if roots:
        change.append(
            f"leave out {len(roots)} prompt(s) or document(s): split: {{without: FILE}} (--exclude FILE writes it)"
        )
    return change, roots


def _models(recipe: Recipe, source: str) -> Iterator[str]:
    for name, teacher in recipe.cast.items():
        if source in (name, teacher.model, teacher.adapter):
            place = "teacher" if name == "teacher" else f"teachers.{name}"
            yield f"name another model under {place}"
    if recipe.student is not None and source in (recipe.student.model, recipe.student.adapter):
        yield "name another model under student"


def _data_set(recipe: Recipe, name: str) -> Iterator[str]:
    yield f"remove real.{name}"
    for place, method in recipe.methods:
        if name in method.reads:
            yield f"remove {'.'.join(map(str, place))} ({method.kind}), which reads it, or let it read other data"


def told(found: Withdrawal, name: str, made: str) -> str:
    """For the terminal.

    Args:
        name: of the run.
        made: `made_of` of what was found.
    """
    lines = [made, ""]
    lines += [f"  student {one.reference}: {one.why}" for one in found.students]
    lines += [f"  run {one.run} takes {', '.join(one.references)}" for one in found.heirs]
    lines += [f"  exported to {one}" for one in found.exports]
    steps = [f"in the recipe of {name}: {one}" for one in found.change]
    anew = ", ".join(step.partition("-")[2] for step in found.anew)
    steps.append(f"distill run RECIPE: makes {anew} anew; answers to what stays are not asked for again")
    steps += [f"run {one.run} again after it" for one in found.heirs]
    steps += [f"take back or replace what was exported to {one}" for one in found.exports]
    steps += [f"remove what was made with it: {' '.join(found.remove)}"] if found.remove else []
    lines += ["", "to do:", *(f"  {number}. {step}" for number, step in enumerate(steps, 1))]
    return "\n".join([*lines, "", REMAINS])


def exclude(path: Path, found: Withdrawal) -> None:
    """The roots as a file that `split.without` takes; roots that are in it already stay."""
    known = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    new = [root for root in found.roots if root not in {line.partition("#")[0].strip() for line in known}]
    lines = [*known, *([f"# withdrawn: {found.source[:80]!r}"] if new else []), *new]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
