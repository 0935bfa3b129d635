"""a row's life, or what came of a source -> lines for the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from distill.rows import Row
from distill.trail.row import Life, Parent, Place
from distill.trail.source import Offspring

WIDE = 100
"""Characters of a text that are shown."""
STUDENT = re.compile(r"run:([^/]+)/")
OUTPUTS = {
    "yes": "outputs may train other models",
    "conditions": "outputs may train other models, on conditions",
    "own_family": "outputs may train its own family only",
    "no": "outputs may train no other model",
    "silent": "does not say whether outputs may train other models",
}


def told(life: Life) -> str:
    """Everything that is known of a row."""
    row, made = life.row, life.row.provenance
    lines = [f"{life.id}  {row.kind}, depth {made.depth}", *(f"  {line}" for line in _said(row)), ""]
    lines.append(f"  {'data' if made.source == 'real' else 'teacher':9} {made.origin}")
    lines += [f"            itself a student, of the run {name}" for name in STUDENT.findall(made.origin)]
    lines += [f"  method    {made.method}", f"  root      {made.root}"]
    if made.sampling:
        lines.append("  drawn     " + ", ".join(f"{name} {value}" for name, value in made.sampling.items()))
    lines += [f"  terms     {line}" for line in _terms(life)]
    lines += ["", "  made from"] if life.parents else []
    for parent in life.parents:
        lines += [f"    {line}" for line in _parent(parent)]
    lines += ["", "  went through", *(f"    {_place(place)}" for place in life.places)]
    if life.judged:
        width = max(len(one.filter) for one in life.judged)
        lines += ["", "  filters"]
        lines += [
            f"    {one.filter:{width}}  {one.verdict}" + ("" if one.score is None else f" ({one.score:.4g})")
            for one in life.judged
        ]
    lines += ["", *(f"  {line}" for line in _learnt(life)), *(f"  not on this machine: {one}" for one in life.missing)]
    return "\n".join(lines).rstrip()


def _said(row: Row) -> Iterator[str]:
    for message in row.messages:
        yield f"{'text' if row.kind == 'text' else message.role:9} {short(message.content)}"
    for message in row.rejected:
        yield f"rejected  {short(message.content)}"


def short(text: str) -> str:
    line = " ".join(text[: 4 * WIDE].split())
    return line if len(line) <= WIDE and len(text) <= 4 * WIDE else f"{line[:WIDE].rstrip()} …"


def _terms(life: Life) -> Iterator[str]:
    if not life.terms:
        yield "none are declared: to be reviewed"
    for term in life.terms:
        known = (
            f"{term.name}: {OUTPUTS[term.outputs]} <{term.address}>"
            if term.name
            else "not among the licences known here"
        )
        yield f"{term.id}  {known}"


def _parent(parent: Parent, depth: int = 0) -> Iterator[str]:
    pad = "  " * depth
    if parent.row is None:
        yield f"{pad}{parent.id}  (not on this machine)"
        return
    made = parent.row.provenance
    terms = ", ".join(made.terms) or "unknown"
    yield f"{pad}{parent.id}  {made.source}, {made.origin}, terms {terms}"
    yield f"{pad}  {_place(parent.places[0])}"
    yield f"{pad}  {short(parent.row.question or parent.row.answer)}"
    for further in parent.parents:
        yield from _parent(further, depth + 1)


def _place(place: Place) -> str:
    dropped = f"  dropped: {place.reason}" if place.reason else ""
    evidence = f" ({short(place.evidence)})" if place.evidence else ""
    other = f"  as {place.as_id}, before or after a filter changed it" if place.as_id else ""
    return f"{place.step}/{place.file}:{place.line}{dropped}{evidence}{other}"


def _learnt(life: Life) -> Iterator[str]:
    if not life.learnt:
        yield "no training of this run had it among its rows"
    for one in life.learnt:
        how = "left out: too long" if one.left_out else f"{one.supervised} of its {one.tokens} tokens learnt"
        yield f"among the rows of {one.training}: {how}"


def made_of(found: Offspring) -> str:
    """All that was made from a source."""
    lines = [f"{found.what}: {found.source}", ""]
    width = max((len(f"{one.step}/{one.file}") for one in found.made), default=0)
    for one in found.made:
        if one.rows:
            more = f"  {', '.join(one.first)}{' …' if one.rows > len(one.first) else ''}" if one.first else ""
            lines.append(f"  {f'{one.step}/{one.file}':{width}} {one.rows:>9,} of {one.of:,} rows{more}")
    lines += _taught(found)
    return "\n".join([*lines, *(f"  not on this machine: {one}" for one in found.missing)])


def _taught(found: Offspring) -> Sequence[str]:
    lines = [f"  {one.training}: {one.rows:,} of the {one.of:,} rows it learns from" for one in found.taught]
    return ["", *lines] if lines else []
