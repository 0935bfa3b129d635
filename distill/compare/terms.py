"""declared licence ids of everything that went in -> the verdict on the student. Unknown is `review`, never `ok`.

It reads what the sources declare and knows a handful of permissive licences; it is not legal advice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

from distill.compare.arms import read_student
from distill.compare.report import Terms, TermsInput
from distill.rows import read_rows

UNKNOWN = "read this licence, it is not among those known here"
NOTICE = "keep the copyright notice and the licence text with what is redistributed"
PERMISSIVE: dict[str, str | None] = {
    "apache-2.0": "pass on the licence text and any NOTICE file with what is redistributed, and say what was changed",
    "mit": NOTICE,
    "bsd-3-clause": f"{NOTICE}; do not use the authors' names to endorse",
    "bsd-2-clause": NOTICE,
    "cc0-1.0": None,
    "cc-by-4.0": "give attribution, with a link, and say what was changed",
}
"""Licence id -> what must be done, None where nothing must."""
PAIRS = "preference.jsonl"


def read_terms(inputs: Mapping[str, Path], use: str, trained: Sequence[str] = ("train",)) -> Terms:
    """Terms of the student's base, of every origin among the rows it learnt from, and of whose distributions it learnt.

    Args:
        trained: nodes of its trainings.
    """
    found: dict[tuple[str, str], set[str]] = {}
    students = [student for name in trained if (student := read_student(inputs, name)) is not None]
    paired = any(student.get("objective") == "preference" for student in students)
    for row in chain(*(read_rows(inputs["mix"] / name) for name in ("train.jsonl", *([PAIRS] if paired else [])))):
        role = "teacher's answers" if row.provenance.source == "teacher" else "real data"
        found.setdefault((role, row.provenance.origin), set()).update(row.provenance.terms)
    for student in students:
        base = student["base"]
        found[("base weights", f"{base['ref']}@{base['revision']}")] = set(base["terms"])
        if adapter := student.get("started_on"):
            found[("adapter", f"{adapter['ref']}@{adapter['revision']}")] = set(adapter["terms"])
        for origin, terms in student.get("taught_by", {}).items():
            found.setdefault(("teacher's distributions", origin), set()).update(terms)
    return judge([(role, origin, terms) for (role, origin), terms in sorted(found.items())], use)


def judge(inputs: Iterable[tuple[str, str, Iterable[str]]], use: str) -> Terms:
    """The strictest verdict of the inputs (role, origin, licence ids), and every condition once."""
    judged: list[TermsInput] = []
    duties: dict[str, list[str]] = {}
    for role, origin, terms in inputs:
        declared = tuple(sorted(terms))
        for duty in _duties(declared):
            duties.setdefault(duty, []).append(f"{role} ({origin})")
        known = bool(declared) and all(term.lower() in PERMISSIVE for term in declared)
        judged.append(TermsInput(role=role, origin=origin, terms=declared, verdict="ok" if known else "review"))
    strictest: Literal["ok", "review"] = "ok" if judged and all(item.verdict == "ok" for item in judged) else "review"
    conditions = tuple(f"{duty}. From {', '.join(whose)}." for duty, whose in duties.items())
    return Terms(verdict=strictest, use=use, conditions=conditions, inputs=tuple(judged))


def _duties(terms: tuple[str, ...]) -> list[str]:
    """What these licences ask for, and what somebody must find out."""
    if not terms:
        return ["No licence is declared: find out which one applies"]
    return [
        f"{term}: {PERMISSIVE.get(term.lower(), UNKNOWN)}" for term in terms if PERMISSIVE.get(term.lower(), UNKNOWN)
    ]
