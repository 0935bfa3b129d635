"""declared licence ids of everything that went in -> the verdict on the student. Unknown is `review`, never `ok`.

It reads what the sources declare and knows a handful of permissive licences; it is not legal advice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from distill.compare.report import Terms, TermsInput
from distill.rows import read_rows

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


def read_terms(inputs: Mapping[str, Path], use: str) -> Terms:
    """Terms of the student's base and of every origin among the training rows."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in read_rows(inputs["mix"] / "train.jsonl"):
        role = "teacher's answers" if row.provenance.source == "teacher" else "real data"
        found.setdefault((role, row.provenance.origin), set()).update(row.provenance.terms)
    base = base_of(inputs)
    if base is not None:
        found[("base weights", base[0])] = set(base[1])
    return judge([(role, origin, terms) for (role, origin), terms in sorted(found.items())], use)


def judge(inputs: Iterable[tuple[str, str, Iterable[str]]], use: str) -> Terms:
    """The strictest verdict of the inputs (role, origin, licence ids), and every condition once."""
    judged, conditions = [], []
    for role, origin, terms in inputs:
        known = [term for term in sorted(terms) if term.lower() in PERMISSIVE]
        doubtful = [term for term in sorted(terms) if term.lower() not in PERMISSIVE]
        conditions += [f"{term}, {role} {origin}: {text}." for term in known if (text := PERMISSIVE[term.lower()])]
        conditions += [
            f"{term}, {role} {origin}: read this licence, it is not among those known here." for term in doubtful
        ]
        if not terms:
            conditions.append(f"{role} {origin}: no licence is declared, find out which one applies.")
        verdict = "ok" if known and not doubtful else "review"
        judged.append(TermsInput(role=role, origin=origin, terms=tuple(sorted(terms)), verdict=verdict))
    strictest = "ok" if judged and all(item.verdict == "ok" for item in judged) else "review"
    return Terms(verdict=strictest, use=use, conditions=tuple(dict.fromkeys(conditions)), inputs=tuple(judged))


def base_of(inputs: Mapping[str, Path]) -> tuple[str, list[str]] | None:
    """Origin and licence ids of the model that was trained on, None where nothing was trained here."""
    path = inputs["train"] / "student.json" if "train" in inputs else None
    if path is None or not path.exists():
        return None
    student = json.loads(path.read_text(encoding="utf-8"))
    return f"{student['base']['ref']}@{student['base']['revision']}", student["terms"]
