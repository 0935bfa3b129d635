"""terms of everything that went in -> the verdict on the student, as the report has it. Unknown is `review`, never `ok`.

What is known of terms, and how it is judged, stands in `distill.terms`; here is what went in, read from the run's rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import cast

from distill.compare.arms import read_student
from distill.rows import Row, read_rows
from distill.terms import settings
from distill.terms.input import Input, Role, Use
from distill.terms.joined import joined
from distill.terms.outcome import Terms, described
from distill.terms.registry import Registry, shipped

PAIRS = "preference.jsonl"


def read_terms(
    inputs: Mapping[str, Path],
    use: str,
    trained: Sequence[str] = ("train",),
    told: settings.Terms | None = None,
    name: str = "",
    registry: Registry | None = None,
    named: Iterable[Input] = (),
) -> Terms:
    """Terms of the student's base, of every origin among the rows it learnt from, of what those were made from, and of
    whose distributions it learnt; and of what the recipe names.

    Args:
        trained: nodes of its trainings.
        told: what the recipe says of terms.
        name: of the recipe.
        named: what the recipe names, with what its cards and servers say.
    """
    told, went = told or settings.Terms(), joined(went_in(inputs, trained), named)
    return described(went, cast(Use, use), told.name or name, told.accept, registry or shipped())


def went_in(inputs: Mapping[str, Path], trained: Sequence[str]) -> list[Input]:
    """Everything that the student was made from, each with the terms that it carries; then what else is in the rows: held
    out, a test set, answers that no training ranks. Of a run that is not done as much as there is."""
    found: dict[tuple[Role, str], set[str]] = {}
    students = [student for node in trained if (student := read_student(inputs, node)) is not None]
    paired = any(student.get("objective") == "preference" for student in students)
    mix = [path.name for path in sorted(inputs["mix"].glob("*.jsonl"))] if "mix" in inputs else []
    learnt = [name for name in mix if name == "train.jsonl" or (name == PAIRS and paired)]
    _add(found, chain(*(read_rows(inputs["mix"] / name) for name in learnt)))
    for row in _asked(inputs):
        # Of what another run's teacher wrote, with the terms of what that was made from.
        found.setdefault(("real data", row.provenance.origin), set()).update(row.provenance.terms)
    for student in students:
        base = student["base"]
        found[("base weights", f"{base['ref']}@{base['revision']}")] = set(base["terms"])
        if adapter := student.get("started_on"):
            found[("adapter", f"{adapter['ref']}@{adapter['revision']}")] = set(adapter["terms"])
        for origin, terms in student.get("taught_by", {}).items():
            found.setdefault(("teacher's distributions", origin), set()).update(terms)
        for one in student.get("made_from", ()):  # where it was built on a student, all that went into that
            found.setdefault((one["role"], one["origin"]), set()).update(one["terms"])
    aside: dict[tuple[Role, str], set[str]] = {}
    _add(aside, chain(*(read_rows(inputs["mix"] / name) for name in mix if name not in learnt)))
    made = [Input(role, origin, tuple(sorted(terms))) for (role, origin), terms in sorted(found.items())]
    # A model that wrote both may have written these from other data.
    besides = [(key, terms) for key, terms in sorted(aside.items()) if key not in found or terms - found[key]]
    return [*made, *(Input(*key, tuple(sorted(terms)), learnt=False) for key, terms in besides)]


def _add(found: dict[tuple[Role, str], set[str]], rows: Iterable[Row]) -> None:
    for row in rows:
        role: Role = "teacher's answers" if row.provenance.source == "teacher" else "real data"
        found.setdefault((role, row.provenance.origin), set()).update(row.provenance.terms)


def _asked(inputs: Mapping[str, Path]) -> Iterator[Row]:
    """Real rows that the teacher was asked about: their words are in its answers."""
    folder = inputs["split"] / "train" if "split" in inputs else None
    for path in sorted(folder.glob("*.jsonl")) if folder else ():
        yield from read_rows(path)
