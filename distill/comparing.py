"""`distill compare`: RUN[:ARM][@STEP] … -> what the terminal shows, and a page.

    a            the student of run a
    a@1200       its student after 1200 steps
    a:teacher    another arm of it

Where a run trained its student with several seeds, `a` is the mean of all of them, `a:student#2` one of the others.

An arm is read from the run's folder; what is missing there, or is of an earlier training than the run's last, is an error
that says how to make it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill import artifacts
from distill.compare.arms import BASE, STUDENT, TEACHER, Arm, manifest_of, read_arms
from distill.compare.runs import asked, measured, page
from distill.compare.runs.comparison import Comparison
from distill.compare.runs.table import table
from distill.errors import ArtifactError, SourceError
from distill.load import load_recipe
from distill.recipe import Recipe
from distill.workspace import RESOLVED

Find = Callable[[str], Path]
"""Name or folder of a run, or its recipe -> its folder; a SourceError where there is none."""
NAMED = re.compile(r"(?P<run>.+?)(?::(?P<arm>[A-Za-z0-9][A-Za-z0-9_.#-]*))?(?:@(?P<step>\d+))?")
LONGEST = 80
"""Characters of a page's name."""


@dataclass
class _Run:
    """A run that was named, with what was asked of it."""

    folder: Path
    recipe: Recipe
    arms: list[str] = field(default_factory=list)

    def place(self, node: str) -> Path:
        """The folder of a node of the last two stages."""
        return self.folder / f"{'4' if node.startswith('train') else '5'}-{node.replace('/', '-')}"


def told(named: Sequence[str], find: Find, out: Path | None, as_json: bool) -> str:
    """What the terminal shows of the arms that were named; the page is written beside it.

    Raises:
        ArtifactError: the page cannot be written there.
    """
    comparison, found = compare(named, find)
    path = out
    if path is None and not as_json:
        path = page_path(named, _parse(named[0], find)[0])
    if path is not None:
        try:
            page.write(comparison, found, path)
        except OSError as error:
            hint = "--out FILE.html names another place"
            raise ArtifactError(f"cannot be written: {error.strerror}", where=str(path), hint=hint) from error
    if as_json:
        return comparison.to_json()
    return f"{table(comparison)}\n\npage: {path}"


def compare(named: Sequence[str], find: Find) -> tuple[Comparison, asked.Together]:
    """The arms that were named, beside the teacher and the base of their runs.

    Raises:
        SourceError: no such run, or an arm of it that was not evaluated.
        CompareError: nothing that was asked alike.
    """
    runs, order = _runs(named, find)
    known: dict[Path, Arm] = {}
    found = asked.together([_read(name, run, known) for name, run in runs.items()], order)
    first = next(iter(runs.values())).recipe
    return measured.compare(found, first.evaluate.primary, first.seed), found


def page_path(named: Iterable[str], first: Path) -> Path:
    """Where the page lies when nobody says: beside the first run, named for the arms."""
    words = re.sub(r"[^A-Za-z0-9_.@#-]+", "-", "-".join(Path(name).name for name in named))
    if len(words) > LONGEST:
        words = f"{words[:LONGEST]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
    return first.parent / f"compare-{words}.html"


def _runs(named: Sequence[str], find: Find) -> tuple[dict[str, _Run], list[str]]:
    """Runs by a name that tells them apart, each with the arms wanted of it, and the labels of these as they were named.
    What is named twice is there once."""
    runs: dict[Path, _Run] = {}
    wanted: dict[tuple[Path, str], None] = {}
    for text in named:
        folder, arm = _parse(text, find)
        place = folder.resolve()
        if place not in runs:
            runs[place] = _Run(folder, _recipe(folder))
        if (place, arm) not in wanted:
            runs[place].arms.append(arm)
        wanted[place, arm] = None
    short = {place: run.folder.absolute().name for place, run in runs.items()}
    names = {
        place: name if list(short.values()).count(name) == 1 else str(runs[place].folder)
        for place, name in short.items()
    }
    return {names[place]: run for place, run in runs.items()}, [_label(names[place], arm) for place, arm in wanted]


def _label(run: str, arm: str) -> str:
    """What a reader calls an arm: a run's name stands for its student."""
    if arm.startswith(f"{STUDENT}@"):
        return f"{run}{arm.removeprefix(STUDENT)}"
    return run if arm == STUDENT and run not in (TEACHER, BASE) else f"{run}:{arm}"


def _parse(text: str, find: Find) -> tuple[Path, str]:
    """The folder of a run and the name of an arm. A run whose own name has a colon or an at sign is found first."""
    match = NAMED.fullmatch(text)
    whole = match is None or match["run"] == text
    try:
        return find(text), STUDENT
    except SourceError:
        if whole:
            raise
    assert match is not None
    step = f"@{match['step']}" if match["step"] else ""
    return find(match["run"]), f"{match['arm'] or STUDENT}{step}"


def _recipe(folder: Path) -> Recipe:
    if not (folder / RESOLVED).is_file():
        raise SourceError("not a run folder", where=str(folder), hint="name a run: `distill run RECIPE` makes it")
    recipe = load_recipe(folder / RESOLVED)
    if recipe.student is None:
        raise SourceError("its recipe names no student", where=str(folder), hint="name runs that trained one")
    return recipe


def _read(name: str, run: _Run, known: dict[Path, Arm]) -> asked.Run:
    """A run with the arms that were asked for, its teacher and base, and the checkpoints that were evaluated."""
    names = run.recipe.train_names
    trainings = {node: run.place(node) for node in names if (run.place(node) / artifacts.MANIFEST).is_file()}
    return asked.Run(
        name=name,
        chosen={_label(name, arm): _arm(run, arm, known) for arm in run.arms},
        seeds={_label(name, STUDENT): _seeds(run, known)} if STUDENT in run.arms else {},
        references={role: _arm(run, role, known) for role in asked.REFERENCES if _there(run, role)},
        steps=_steps(run, trainings, known),
        trainings=trainings,
    )


def _seeds(run: _Run, known: dict[Path, Arm]) -> list[Arm]:
    """The student's further training seeds, `student#2` and so on, that were evaluated."""
    names = [path.name.removeprefix("5-evaluate-") for path in sorted(run.folder.glob(f"5-evaluate-{STUDENT}#*"))]
    return [_arm(run, name, known) for name in names if name.partition("#")[2].isdecimal() and _there(run, name)]


def _there(run: _Run, arm: str) -> bool:
    return (run.place(f"evaluate/{arm}") / artifacts.MANIFEST).is_file()


def _arm(run: _Run, arm: str, known: dict[Path, Arm]) -> Arm:
    """An arm's evaluation, read once.

    Raises:
        SourceError: it is not there, or is of an earlier training.
    """
    folder = run.place(f"evaluate/{arm}")
    if not _there(run, arm):
        raise _absent(run, arm)
    if _stale(run, folder):
        raise SourceError(
            f"{arm} was evaluated before its run was trained anew", where=str(folder), hint="run its recipe to the end"
        )
    place = folder.resolve()
    if place not in known:
        known[place] = read_arms({f"evaluate/{arm}": folder})[0]
    return known[place]


def _stale(run: _Run, folder: Path) -> bool:
    """Whether the run has by now another training than the arm was evaluated of."""
    upstream: Mapping[str, str] = manifest_of(folder).get("identity", {}).get("upstream", {})
    made = {node: run.place(node) for node in upstream if node.split("/")[0] == "train"}
    return any(
        (place / artifacts.MANIFEST).is_file() and manifest_of(place).get("key") != upstream[node]
        for node, place in made.items()
    )


def _absent(run: _Run, arm: str) -> SourceError:
    """What is there instead, and how the missing one is made."""
    there = [path.name.removeprefix("5-evaluate-") for path in sorted(run.folder.glob("5-evaluate-*"))]
    stem, _, step = arm.rpartition("@")
    hint = f"evaluated are: {', '.join(there) or 'none'}"
    if stem == STUDENT:
        kept = sorted(int(path.name.rpartition("-")[2]) for path in _checkpoints(run))
        if int(step) in kept:
            steps = sorted({*run.recipe.evaluate.checkpoints, int(step)})
            told = f"--set 'evaluate.checkpoints=[{', '.join(map(str, steps))}]'"
            hint = f"run its recipe again with {told}: only what is missing is made; {hint}"
        else:
            hint = f"its training kept the steps {', '.join(map(str, kept)) or 'none'}; {hint}"
    return SourceError(f"there is no evaluation of {arm}", where=str(run.folder), hint=hint)


def _checkpoints(run: _Run) -> list[Path]:
    return list(run.place(run.recipe.train_names[-1]).glob("checkpoints/checkpoint-*"))


def _steps(run: _Run, trainings: Mapping[str, Path], known: dict[Path, Arm]) -> dict[int, Arm]:
    """Checkpoints of the student that were evaluated, by step; and the student, at the step it is of."""
    last = run.recipe.train_names[-1]
    folders = {path: path.name.rpartition("@")[2] for path in run.folder.glob(f"5-evaluate-{STUDENT}@*")}
    steps = {
        int(step): f"{STUDENT}@{step}"
        for path, step in folders.items()
        if step.isdecimal() and _there(run, f"{STUDENT}@{step}") and not _stale(run, path)
    }
    if steps and last in trainings and _there(run, STUDENT):
        summary: dict[str, Any] = manifest_of(trainings[last])["summary"]
        step = summary.get("kept", {}).get("step") or _last_step(trainings[last])
        steps[step or max(steps) + 1] = STUDENT
    return {step: _arm(run, arm, known) for step, arm in steps.items()}


def _last_step(training: Path) -> int | None:
    log = training / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return int(json.loads(lines[-1])["step"]) if lines else None
