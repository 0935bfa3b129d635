"""`distill compare`: RUN[:ARM][@STEP] … -> what the terminal shows, and a page.

    a            the student of run a
    a@1200       its student after 1200 steps
    a:teacher    another arm of it

Where a run trained its student with several seeds, `a` is the mean of all of them, `a:student#2` one of the others.

Nothing is generated or scored here: an arm is read from its evaluation (finished.py).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from distill.compare.arms import BASE, STUDENT, TEACHER, Arm, read_arms
from distill.compare.runs import asked, measured, page
from distill.compare.runs.comparison import Comparison
from distill.compare.runs.table import table
from distill.errors import ArtifactError, SourceError
from distill.finished import Finished

Find = Callable[[str], Path]
"""Name or folder of a run, or its recipe -> its folder; a SourceError where there is none."""
NAMED = re.compile(r"(?P<run>.+?)(?::(?P<arm>[A-Za-z0-9][A-Za-z0-9_.#-]*))?(?:@(?P<step>\d+))?")
LONGEST = 80
"""Characters of a page's name."""


def told(named: Sequence[str], find: Find, cache: Path, out: Path | None, as_json: bool) -> str:
    """What the terminal shows of the arms that were named; the page is written beside it.

    Raises:
        ArtifactError: the page cannot be written there.
    """
    comparison, found = compare(named, find, cache)
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


def compare(named: Sequence[str], find: Find, cache: Path) -> tuple[Comparison, asked.Together]:
    """The arms that were named, beside the teacher and the base of their runs.

    Raises:
        SourceError: no such run, or an arm of it that was not evaluated.
        CompareError: nothing that was asked alike.
    """
    runs = _runs(named, find, cache)
    names = {run.folder.resolve(): name for name, (run, _) in runs.items()}
    order = [_label(names[folder.resolve()], arm) for folder, arm in (_parse(text, find) for text in named)]
    known: dict[Path, Arm] = {}
    found = asked.together([_read(name, run, arms, known) for name, (run, arms) in runs.items()], order)
    first = next(iter(runs.values()))[0].recipe
    return measured.compare(found, first.evaluate.primary, first.seed), found


def page_path(named: Iterable[str], first: Path) -> Path:
    """Where the page lies when nobody says: beside the first run, named for the arms."""
    words = re.sub(r"[^A-Za-z0-9_.@#-]+", "-", "-".join(Path(name).name for name in named))
    if len(words) > LONGEST:
        words = f"{words[:LONGEST]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
    return first.parent / f"compare-{words}.html"


def _runs(named: Sequence[str], find: Find, cache: Path) -> dict[str, tuple[Finished, list[str]]]:
    """Runs by a name that tells them apart, each with the arms wanted of it; what is named twice is there once."""
    runs: dict[Path, tuple[Finished, list[str]]] = {}
    for text in named:
        folder, arm = _parse(text, find)
        _, arms = runs.setdefault(folder.resolve(), (Finished(folder, cache), []))
        if arm not in arms:
            arms.append(arm)
    names = [run.folder.absolute().name for run, _ in runs.values()]
    return {
        name if names.count(name) == 1 else str(run.folder): (run, arms)
        for name, (run, arms) in zip(names, runs.values(), strict=True)
    }


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


def _read(name: str, run: Finished, arms: Sequence[str], known: dict[Path, Arm]) -> asked.Run:
    """A run with the arms that were asked for, its teacher and base, and the checkpoints that were evaluated."""

    def arm(named: str) -> Arm:
        folder = run.evaluation(named)
        place = folder.resolve()
        if place not in known:
            known[place] = read_arms({f"evaluate/{named}": folder})[0]
        return known[place]

    return asked.Run(
        name=name,
        chosen={_label(name, one): arm(one) for one in arms},
        seeds={_label(name, STUDENT): [arm(one) for one in run.seeds]} if STUDENT in arms else {},
        references={role: arm(role) for role in asked.REFERENCES if run.find(role)},
        steps={step: arm(one) for step, one in run.steps().items()},
        trainings=run.trainings,
    )
