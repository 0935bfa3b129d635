"""terms of everything that went in -> the verdict on the student, as the report has it. Unknown is `review`, never `ok`.

What is known of terms, and how it is judged, stands in `distill.terms`; here is what went in, read from the run's rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import cast

from distill.compare.arms import read_student
from distill.compare.report import Terms, TermsInput
from distill.rows import Row, read_rows
from distill.terms import settings
from distill.terms.entry import Form
from distill.terms.registry import Registry, shipped
from distill.terms.verdict import Finding, Input, Judged, Role, Use, Verdict, applying, judge, strictest

PAIRS = "preference.jsonl"
FRESH = timedelta(days=180)
"""After which an entry should be looked at again."""


def read_terms(
    inputs: Mapping[str, Path],
    use: str,
    trained: Sequence[str] = ("train",),
    told: settings.Terms | None = None,
    name: str = "",
    registry: Registry | None = None,
) -> Terms:
    """Terms of the student's base, of every origin among the rows it learnt from, of what those were made from, and of
    whose distributions it learnt.

    Args:
        trained: nodes of its trainings.
        told: what the recipe says of terms.
        name: of the recipe.
    """
    told = told or settings.Terms()
    return described(went_in(inputs, trained), cast(Use, use), told.name or name, told.accept, registry or shipped())


def went_in(inputs: Mapping[str, Path], trained: Sequence[str]) -> list[Input]:
    """Everything that the student was made from, each with the terms that it carries."""
    found: dict[tuple[Role, str], set[str]] = {}
    students = [student for node in trained if (student := read_student(inputs, node)) is not None]
    paired = any(student.get("objective") == "preference" for student in students)
    learnt = chain(*(read_rows(inputs["mix"] / file) for file in ("train.jsonl", *([PAIRS] if paired else []))))
    for row in chain(learnt, _asked(inputs)):
        role: Role = "teacher's answers" if row.provenance.source == "teacher" else "real data"
        found.setdefault((role, row.provenance.origin), set()).update(row.provenance.terms)
    for student in students:
        base = student["base"]
        found[("base weights", f"{base['ref']}@{base['revision']}")] = set(base["terms"])
        if adapter := student.get("started_on"):
            found[("adapter", f"{adapter['ref']}@{adapter['revision']}")] = set(adapter["terms"])
        for origin, terms in student.get("taught_by", {}).items():
            found.setdefault(("teacher's distributions", origin), set()).update(terms)
    return [Input(role, origin, tuple(sorted(terms))) for (role, origin), terms in sorted(found.items())]


def _asked(inputs: Mapping[str, Path]) -> Iterator[Row]:
    """Real rows that the teacher was asked about: their words are in its answers."""
    folder = inputs["split"] / "train" if "split" in inputs else None
    for path in sorted(folder.glob("*.jsonl")) if folder else ():
        yield from read_rows(path)


def described(went: Sequence[Input], use: Use, name: str, accepted: Mapping[str, str], registry: Registry) -> Terms:
    """The verdict as the report has it."""
    verdicts = judge(went, use, registry, name, accepted)
    worst = strictest(verdict.level for verdict in verdicts.values()) if went else "review"
    entries = [entry for one in went for entry in applying(one, registry)[0]]
    today = datetime.now(UTC).date()
    return Terms(
        verdict=worst,
        use=use,
        conditions=tuple(_conditions(verdicts)),
        inputs=tuple(_input(one, [verdict.inputs for verdict in verdicts.values()]) for one in went),
        forms={form: verdict.level for form, verdict in verdicts.items()},
        checked=min((entry.checked for entry in entries), default=date.min).isoformat() if entries else None,
        old=tuple(dict.fromkeys(entry.id for entry in entries if today - entry.checked > FRESH)),
    )


def _input(one: Input, judged: Iterable[Sequence[Judged]]) -> TermsInput:
    """What is made of an input by the form that is judged most strictly."""
    own = [each for form in judged for each in form if each.input == one]
    hardest = max(own, key=lambda each: ("ok", "review", "blocked").index(each.level))
    why = [f"accepted: {each.accepted} ({each.why})" if each.accepted else each.why for each in _weighty(hardest)]
    return TermsInput(
        role=one.role, origin=one.origin, terms=one.declared, verdict=hardest.level, why=tuple(dict.fromkeys(why))
    )


def _weighty(one: Judged) -> list[Finding]:
    """Those that decide, and those that were accepted; where all is well, all of them."""
    return [each for each in one.findings if each.level == one.level or each.accepted]


def _conditions(verdicts: Mapping[Form, Verdict]) -> Iterator[str]:
    """Every duty once, with the forms that it is of where it is not of all, and whose it is."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for form, verdict in verdicts.items():
        for text, whose in verdict.conditions.items():
            forms, ids = found.setdefault(text, ([], []))
            forms.append(form)
            ids += [one for one in whose if one not in ids]
    for text, (forms, ids) in found.items():
        of = "" if len(forms) == len(verdicts) else f"{' and '.join(forms)}: "
        yield f"{of}{text} ({', '.join(ids)})"
