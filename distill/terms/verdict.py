"""what went into a student + what it is for -> ok, review or blocked, for each form that may be given away, with the reasons.

The strictest of all inputs decides, and what they ask is asked together. Unknown is `review`, never `ok`. No legal advice.

    blocked   an input's terms forbid it
    review    nobody here can say: read the terms, then name them under `terms.accept` with a reason
    ok        the terms allow it, on the conditions that are listed
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from distill.terms.applying import applying
from distill.terms.entry import FORMS, Confidence, Duty, Entry, Form, Permission
from distill.terms.input import IN_ROWS, NAMELESS, ORDER, OUTPUTS, Finding, Input, Level, Use
from distill.terms.registry import Registry

RELEASED = ("non_commercial", "share_alike")
"""Duties that a written permission takes away."""
MANY_USERS = 100_000_000
"""A threshold of users from which on it is a condition to know of, and nothing that stops anybody here."""


@dataclass(frozen=True)
class Judged:
    input: Input
    findings: tuple[Finding, ...]
    duties: tuple[tuple[Duty, str], ...] = ()
    """With the id of the entry that asks for it."""

    @property
    def level(self) -> Level:
        """The strictest finding that the user did not accept."""
        return strictest(one.level for one in self.findings if not one.accepted)


@dataclass(frozen=True)
class Verdict:
    form: Form
    use: Use
    inputs: tuple[Judged, ...]
    name: str
    level: Level = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", strictest(one.level for one in self.inputs) if self.inputs else "review")

    @property
    def conditions(self) -> dict[str, list[str]]:
        """What must be done -> ids of the entries that ask for it."""
        found: dict[str, list[str]] = {}
        for one in self.inputs:
            for duty, entry in one.duties:
                whose = found.setdefault(said(duty, self.name), [])
                if entry not in whose:
                    whose.append(entry)
        return found


@dataclass(frozen=True)
class Case:
    """What an input is judged for."""

    form: Form
    use: Use
    name: str
    registry: Registry
    bases: frozenset[str]
    """Ids of the entries that apply to the student's base."""
    accepted: Mapping[str, str]


def strictest(levels: Iterable[Level]) -> Level:
    return max(levels, key=ORDER.index, default="ok")


def said(duty: Duty, name: str) -> str:
    """A duty as a sentence; of a name whether the student's keeps it."""
    if duty.kind == "name_prefix":
        kept = "" if not name or name.startswith(duty.text) else f", and {name!r} does not: set terms.name"
        return f"the student's name must begin with {duty.text!r}{kept}"
    return f"show {duty.text!r}" if duty.kind == "notice" else duty.text


def judge(
    inputs: Sequence[Input], use: Use, registry: Registry, name: str = "", accepted: Mapping[str, str] | None = None
) -> dict[Form, Verdict]:
    """The verdict on every form.

    Args:
        name: of the student, as it will be published.
        accepted: reasons by the id of an entry, a licence id, or an origin without its revision.
    """
    bases = {entry.id for one in inputs if one.role == "base weights" for entry in applying(one, registry)[0]}
    judged: dict[Form, Verdict] = {}
    for form in FORMS:
        case = Case(form, use, name, registry, frozenset(bases), accepted or {})
        went_in = [one for one in inputs if (one.role in IN_ROWS if form == "rows" else one.learnt)]
        judged[form] = Verdict(form, use, tuple(_judged(one, case) for one in went_in), name)
    return judged


def _judged(one: Input, case: Case) -> Judged:
    entries, doubts = applying(one, case.registry)
    duties = [
        (duty, entry.id)
        for entry in entries
        for duty in (*entry.duties, *_thresholds(entry))
        if _asked(duty, entry, one, case.form) and not (duty.kind in RELEASED and permitted(entry, one, case.registry))
    ]
    findings = [*doubts, *(_finding(one, entry, case) for entry in entries), *_misnamed(duties, case)]
    settled = tuple(replace(finding, accepted=_reason(finding, one, case)) for finding in findings)
    return Judged(one, settled, tuple(duties))


def _thresholds(entry: Entry) -> Iterator[Duty]:
    """From when on another licence is needed, for whoever it is given to."""
    sizes = {"users a month": entry.thresholds.users, "USD of revenue a year": entry.thresholds.revenue_usd}
    for of, size in sizes.items():
        if size is not None:
            text = f"from {size:,} {of} on it needs another licence"
            yield Duty(kind="use_restrictions", of=("adapter", "merged"), text=text)


def _reason(finding: Finding, one: Input, case: Case) -> str | None:
    """Why the user accepts it: by the reference, or where it is sure what it is by the entry too."""
    if finding.level != "review":
        return None
    for key, reason in case.accepted.items():
        entry = case.registry.find(key)
        names_it = finding.entry not in (None, NAMELESS) and finding.entry == (entry.id if entry else key)
        if key in (one.name, one.origin) or (names_it and not finding.identity):
            return reason
    return None


def unused(
    inputs: Sequence[Input], verdicts: Iterable[Verdict], accepted: Mapping[str, str], registry: Registry
) -> list[str]:
    """What is accepted and is to be reviewed nowhere: a typing error, as a rule."""
    known = {name for one in inputs for name in (one.name, one.origin)}
    met = {finding.entry for verdict in verdicts for one in verdict.inputs for finding in one.findings}
    return [
        key for key in accepted if key not in known and (entry.id if (entry := registry.find(key)) else key) not in met
    ]


def _asked(duty: Duty, entry: Entry, one: Input, form: Form) -> bool:
    """Whether a duty holds for this form, by the way that the input went in."""
    if form not in duty.of:
        return False
    if one.role in OUTPUTS:
        return entry.layer != "licence" and duty.holds is None
    return True


def permitted(entry: Entry, one: Input, registry: Registry) -> Permission | None:
    """The written permission for this input, of those that there are of an entry."""
    name = one.name.lower()
    own = (each for each in registry.permissions if each.permission_of == entry.id)
    return next(
        (each for each in own if not each.covers or any(fnmatchcase(name, p.lower()) for p in each.covers)), None
    )


def _misnamed(duties: Sequence[tuple[Duty, str]], case: Case) -> Iterator[Finding]:
    """A name that may not be published."""
    for duty, entry in duties:
        misnamed = case.name and not case.name.startswith(duty.text)
        if duty.kind == "name_prefix" and case.use == "redistribute" and misnamed:
            yield Finding("blocked", said(duty, case.name), entry)


def _finding(one: Input, entry: Entry, case: Case) -> Finding:
    """What one entry makes of one input."""
    if permission := permitted(entry, one, case.registry):
        return Finding("ok", f"permitted in writing: {permission.reference}, {permission.dated}", entry.id)
    level, why = strictest_of(
        _of_outputs(one, entry, case.bases),
        _of_commerce(one, entry, case.use),
        _of_derivatives(one, entry, case),
        ("review", entry.unclear) if entry.unclear else ("ok", entry.name),
    )
    return Finding(level, f"{why}{sure(entry.confidence)}", entry.id)


def sure(confidence: Confidence) -> str:
    """How sure something is, where nobody here has read it."""
    return "" if confidence == "read" else f" [{confidence}]"


def strictest_of(*found: tuple[Level, str]) -> tuple[Level, str]:
    """The strictest, the last of those alike."""
    return max(reversed(found), key=lambda one: ORDER.index(one[0]))


def _of_outputs(one: Input, entry: Entry, bases: frozenset[str]) -> tuple[Level, str]:
    where = f" ({entry.clause})" if entry.clause else ""
    if one.role == "real data":
        if entry.outputs == "no" or entry.layer == "service":
            # A contract binds who had it written, and not by itself those who were given it.
            return "review", f"written by a model whose terms do not let others be trained on it: {entry.name}{where}"
        return "ok", entry.name
    if one.role not in OUTPUTS or entry.layer == "licence":
        return "ok", entry.name
    if entry.outputs == "no":
        return "blocked", f"{entry.name} does not let its outputs train another model{where}"
    if entry.outputs == "own_family" and not bases & {entry.id, *entry.family}:
        return "blocked", f"{entry.name} lets its outputs train its own family only ({', '.join(entry.family)})"
    if entry.outputs == "silent":
        return "review", f"{entry.name} does not say whether its outputs may train another model"
    return "ok", entry.name


def _of_commerce(one: Input, entry: Entry, use: Use) -> tuple[Level, str]:
    if entry.layer == "licence" and one.role in OUTPUTS:
        if entry.commercial == "no" and use in ("internal", "commercial"):
            return "review", f"{entry.name} is not for commerce, and does not say whether that holds for outputs"
        return "ok", entry.name
    if entry.commercial == "no" and use == "commercial":
        return "blocked", f"{entry.name} is not for commerce"
    if use == "internal" and entry.internal == "no":
        return "blocked", f"{entry.name} is for research only"
    if entry.commercial == "no" and use == "internal":
        return "review", f"{entry.name} is not for commerce: is what you do with it inside a company?"
    revenue = entry.thresholds.revenue_usd
    if revenue and use in ("commercial", "redistribute"):
        return "review", f"{entry.name} needs another licence from {revenue:,} USD of revenue a year on"
    users = entry.thresholds.users
    if users and users < MANY_USERS and use == "commercial":
        return "review", f"{entry.name} needs another licence from {users:,} users a month on"
    return "ok", entry.name


def _of_derivatives(one: Input, entry: Entry, case: Case) -> tuple[Level, str]:
    if entry.derivatives == "yes" or case.use not in ("redistribute", "commercial") or one.role in OUTPUTS:
        return "ok", entry.name
    if case.form == "rows" or one.role in ("base weights", "adapter"):
        return "blocked", f"{entry.name} does not let what is made from it be given away"
    return "review", f"{entry.name} lets nothing derived be given away; whether weights are is not settled"
