"""a run + a source that may no longer be used -> what stands on it, what to change in the recipe, what to make anew and what
to take back. Writes nothing but, where it is asked to, the list of roots that a recipe leaves out (`split.without`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from distill import pipeline
from distill.artifacts import MANIFEST
from distill.export import KNOWN
from distill.names import folder_name, stage
from distill.nodes.node import Node
from distill.recipe import Recipe
from distill.recipe_file import dotted, walk
from distill.rows import Frozen
from distill.trail.source import Offspring, document, is_of, offspring, unknown
from distill.trail.steps import Run, Step, taken
from distill.workspace import RESOLVED, RUN

if TYPE_CHECKING:
    from distill.trail.index import Mask

REMAINS = (
    "Answers to its prompts stay in the cache under answers/ until that is removed, and what was copied or pushed elsewhere "
    "is not known here.\nA student that has learnt from it cannot unlearn it: it has to be trained anew."
)


OF_ITS_OWN = (
    "what a model wrote of its own accord, from no prompt or document of the data, no field leaves out: let a filter drop it "
    "(`blocklist`, by its words)"
)
ASKS = ("score", "layers", "evaluate", "judge")
"""Stages that ask a model, and keep no rows of it."""


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
    """Steps that the changed recipe makes again."""
    remove: tuple[str, ...]
    """Folders that hold its rows or its answers, learnt from them, or were made of these."""
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
    students = tuple(_students(run, found, source))
    touched = _touched(run, source, root, found, students)
    if not touched:
        raise unknown(run, source)
    none = hit is None or not hit.any()
    made = [(step, rows) for step, rows in by_step if step.name.partition("-")[2] == "generate"]
    old = _earlier(run, by_step)
    strays = root and ((none and not old) or any(_strays(step, rows, document(source)) for step, rows in made))
    change, roots, changed = _change(run, source, split, hit, strays)
    change += [f"take rows that were made without it in place of {ref} under mix.earlier" for ref in old]
    changed |= {"3-mix"} if old else set()
    tainted = _downstream(run, touched)
    exports = tuple(dict.fromkeys(_exports(run, "3-mix" in touched, students)))
    return Withdrawal(
        source=source,
        found=found,
        students=students,
        heirs=tuple(_heirs(run, {(run.folder / name).resolve(): name for name in tainted}, exports)),
        exports=exports,
        change=tuple(change),
        anew=tuple(_downstream(run, changed)),
        remove=tuple(str((run.folder / name).resolve()) for name in tainted),
        roots=tuple(roots),
    )


def _students(run: Run, found: Offspring, source: str) -> Iterator[Student]:
    """Trainings that learnt from its rows, that began with it, or that it taught."""
    rows = {one.training: one.rows for one in found.taught}
    teacher = run.recipe.cast.get(source)
    wanted = "+".join(teacher.weights) if teacher else source
    for node, folder in run.trainings():
        said = json.loads((folder / "student.json").read_text(encoding="utf-8"))
        named = [*said.get("taught_by", {}), *(one["origin"] for one in said.get("made_from", ()))]
        named += [said["base"]["ref"]]
        part = any(is_of(name, wanted) for name in named)
        if rows.get(node) or part:
            why = f"{rows[node]:,} of its rows" if rows.get(node) else "made from it"
            yield Student(node=node, reference=f"run:{run.name}/{node}", why=why)


def _touched(run: Run, source: str, root: bool, found: Offspring, students: Sequence[Student]) -> set[str]:
    """Steps that hold its rows, learnt from it, or have its answers or what it said of others."""
    holding = {one.step for one in found.made if one.rows}
    touched = {step.name for step in run.own if step.label in holding}
    touched |= {f"4-{folder_name(student.node)}" for student in students}
    if not root:
        asked = (node for node in pipeline.plan(run.recipe) if stage(node.name) in ASKS and _uses(run, node, source))
        touched |= {node.folder for node in asked} & set(_there(run))
    return touched


def _earlier(run: Run, by_step: Sequence[tuple[Step, Mask]]) -> list[str]:
    """References under `mix.earlier` to rows of which some stand on it."""
    holding = {step.path.resolve() for step, hit in by_step if hit.any()}
    found = [(ref, taken(run, ref)) for ref in run.recipe.mix.references]
    return [ref for ref, place in found if place is not None and place.resolve() in holding]


def _strays(step: Step, hit: Mask, wanted: int) -> bool:
    """Whether a model asked the same of its own accord: it descends from something else, and may do so again."""
    columns = step.index.columns
    return bool((hit & (columns["own"] == wanted) & (columns["root"] != wanted)).any())


def _uses(run: Run, node: Node, source: str) -> bool:
    """Whether a node reads a model or data set; of a teacher with an adapter both."""
    teacher = run.recipe.cast.get(source)
    wanted = teacher.weights if teacher else (source,)
    wanted = tuple(part for one in wanted for part in ([one] if one in node.sources else one.split("+")))
    return all(any(is_of(ref, part) or ref.partition("@")[0] == part for ref in node.sources) for part in wanted)


def _there(run: Run) -> Iterator[str]:
    """Names of the run's steps that are made."""
    yield from (path.name for path in sorted(run.folder.glob("[0-9]-*")) if (path / MANIFEST).is_file())


def _downstream(run: Run, first: set[str]) -> list[str]:
    """Steps of the run that are among the first, and all that are made from these, in the order of the flow."""
    nodes = {node.name: node for node in pipeline.plan(run.recipe)}
    reached: set[str] = set()
    for node in nodes.values():  # each comes after those that it needs
        if node.folder in first or any(nodes[need].folder in reached for need in node.needs):
            reached.add(node.folder)
    return [name for name in _there(run) if name in reached | first]


def _heirs(run: Run, places: Mapping[Path, str], exports: Sequence[str]) -> Iterator[Heir]:
    """Runs that take rows or a student from one of the steps, and those that take anything of these.

    Args:
        places: folders that hold the source, with the names of the steps.
        exports: what left the run with it.
    """
    runs, seen = run.folder.absolute().parent, {run.name}
    takers = {path.parent.name: list(_taken(path)) for path in sorted(runs.glob(f"*/{RESOLVED}"))}
    steps = {name.partition("-")[2] for name in places.values()}
    away = [Path(out).resolve() for out in exports if Path(out).is_dir()]

    def of(taker: str, ref: str) -> bool:
        if ref.startswith("run:"):
            name, _, node = ref.removeprefix("run:").partition("/")
            stem, at, step = node.rpartition("@")
            node = stem if at and step.isdecimal() else node
            return name in seen and (name != run.name or folder_name(node) in steps)
        place = _place(ref, runs / taker)
        others = [link.resolve() for name in seen - {run.name} for link in (runs / name).glob("[0-9]-*")]
        return place is not None and any(place.is_relative_to(folder) for folder in (*places, *away, *others))

    more = True
    while more:
        found = {taker: [ref for ref in refs if of(taker, ref)] for taker, refs in takers.items() if taker not in seen}
        more = any(found.values())
        for taker in (taker for taker, refs in found.items() if refs):
            seen.add(taker)
            yield Heir(run=taker, references=tuple(dict.fromkeys(found[taker])))


def _taken(recipe: Path) -> Iterator[str]:
    """References of a recipe that may lead to a run's folders; a recipe of another version is no reason to miss them."""
    try:
        read = yaml.safe_load(recipe.read_text(encoding="utf-8", errors="replace"))
    except (OSError, yaml.YAMLError):
        return
    for _, value in walk(read):
        if isinstance(value, str) and value.startswith(("run:", "rows:", "/", "./", "../", "~")):
            yield value


def _place(ref: str, run: Path) -> Path | None:
    """Where a path in a run's recipe leads."""
    try:
        base = Path(json.loads((run / RUN).read_text(encoding="utf-8"))["base"])
        return (base / Path(ref.removeprefix("rows:")).expanduser()).resolve()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return None


def _exports(run: Run, rows: bool, students: Sequence[Student]) -> Iterator[str]:
    """Where its rows went, and its students, where these are meant."""
    path, meant = run.folder / KNOWN, {one.reference for one in students}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        known = json.loads(line)
        of = str(known.get("student", ""))
        if (
            rows
            if known.get("format") == "rows"
            else meant and (not of or any(of.startswith(f"{one}@") for one in meant))
        ):
            yield str(known["out"])


def _change(
    run: Run, source: str, split: Step | None, hit: Mask | None, strays: bool
) -> tuple[list[str], list[str], set[str]]:
    """What to change in the recipe; the roots to leave out, where only some rows of a data set are meant; and the steps that
    it makes anew, with all that comes after them.

    Args:
        strays: a model asked the same of its own accord.
    """
    recipe = run.recipe
    change, roots = list(_models(recipe, source)), list[str]()
    changed = {node.folder for node in pipeline.plan(recipe) if change and _uses(run, node, source)}
    for name in recipe.real if split is not None and hit is not None and hit.any() else ():
        assert split is not None and hit is not None
        columns = split.index.columns
        own = [place for place, file in enumerate(split.index.files) if file.partition("/")[2] == f"{name}.jsonl"]
        mine = (columns["of"][:, None] == own).any(axis=1)
        some = hit & mine
        if some.any() and (some == mine).all():
            change += _data_set(recipe, name)
        elif some.any():
            roots += [f"{int(root):016x}" for root in columns["root"][some]]
        changed |= {"0-split"} if some.any() else set()
    roots = list(dict.fromkeys(roots))
    if roots:
        change.append(
            f"leave out {len(roots)} prompt(s) or document(s): split: {{without: FILE}} (--exclude FILE writes it)"
        )
    if strays:
        change.append(OF_ITS_OWN)
        changed |= {"1-generate"}  # what the filters accept decides what is asked
    return change, roots, changed


def _models(recipe: Recipe, source: str) -> Iterator[str]:
    for name, teacher in recipe.cast.items():
        if source == name or _names("+".join(teacher.weights), source):
            place = "teacher" if name == "teacher" else f"teachers.{name}"
            yield f"name another model under {place}"
    student, references = recipe.student, recipe.references
    if student is not None and any(_names(ref, source) for ref in (student.model, student.adapter) if ref):
        yield "name another model under student"
    for path, value in walk(recipe.model_dump(mode="json")):
        elsewhere = path[0] not in ("teacher", "teachers", "student", "real") and value in references
        if elsewhere and is_of(value, source):
            yield f"name another under {dotted(path)}"


def _names(refs: str, source: str) -> bool:
    """Whether a recipe's reference is meant, with a revision or without."""
    return is_of(refs, source) or refs == source.partition("@")[0]


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
    if anew:
        steps.append(f"distill run RECIPE: makes {anew} anew; answers to what stays are not asked for again")
    for one in found.heirs:
        paths = [ref for ref in one.references if not ref.startswith("run:")]
        moved = f", with what was made anew in place of {', '.join(paths)}" if paths else ""
        steps.append(f"run {one.run} again after it{moved}")
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
