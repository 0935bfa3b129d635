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
from ipaddress import ip_address
from typing import Literal

from distill.terms.entry import FORMS, Duty, Entry, Form, Permission
from distill.terms.registry import Registry

Use = Literal["research", "internal", "commercial", "redistribute"]
USES: tuple[Use, ...] = ("research", "internal", "commercial", "redistribute")
Level = Literal["ok", "review", "blocked"]
Role = Literal["base weights", "adapter", "teacher's answers", "teacher's distributions", "real data"]
ORDER: tuple[Level, ...] = ("ok", "review", "blocked")
OUTPUTS: tuple[Role, ...] = ("teacher's answers", "teacher's distributions")
"""Roles of a model whose outputs the student learns from."""
IN_ROWS: tuple[Role, ...] = ("teacher's answers", "real data")
"""Roles of which something stands in the training rows."""
HOST = "host:"
"""Begins the term that stands for a host of which nothing is known."""
UNSEEN = "its card is not on this machine yet: distill fetch"
MANY_USERS = 100_000_000
"""A threshold of users from which on it is a condition to know of, and nothing that stops anybody here."""


@dataclass(frozen=True)
class Input:
    """One thing that a student was made from."""

    role: Role
    origin: str
    """Reference, with its revision where it is known."""
    declared: tuple[str, ...] = ()
    """Licence ids that it carries."""
    host: str | None = None
    """Name in the address of the server that answered."""
    made_from: tuple[str, ...] = ()
    """Models that its card names as its base: several of a merged one."""
    seen: bool = True
    """Whether what it is called stands for is on this machine, its card too; or is served, and never will be."""
    card: tuple[str, ...] = ()
    """Licence ids that its own card or package declares, where the recipe states others."""

    @property
    def name(self) -> str:
        """Reference without its revision, and without the adapter that a teacher wears."""
        return self.origin.split("+")[0].partition("@")[0]


@dataclass(frozen=True)
class Finding:
    """What is made of one input by one entry, or of the lack of one."""

    level: Level
    why: str
    entry: str | None = None
    """Id."""
    accepted: str | None = None
    """Reason for which the user accepts what was to be reviewed."""
    identity: bool = False
    """It is not sure what this is: only a look at it can settle that, not at the entry that it may be of."""


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
        went_in = [one for one in inputs if form != "rows" or one.role in IN_ROWS]
        judged[form] = Verdict(form, use, tuple(_judged(one, case) for one in went_in), name)
    return judged


def applying(one: Input, registry: Registry) -> tuple[list[Entry], list[Finding]]:
    """Entries that apply to an input, and what is not clear about which do."""
    named, doubts = _named(one, registry)
    doubts += _contradiction(one, registry)
    hosting = registry.serving(one.host) if one.host else []
    if one.host and not hosting and not local(one.host):
        doubts.append(_unknown_host(one.host))
    found: dict[str, Entry] = {}
    for term in one.declared:
        if (entry := registry.find(term)) is not None:
            found[entry.id] = entry
        elif term.startswith(HOST):
            doubts.append(_unknown_host(term.removeprefix(HOST)))
        else:
            doubts.append(Finding("review", f"{term!r} is not among the licences that are known here", term))
    stated = set(found)
    for entry in named:
        expected = {entry.id, *entry.aliases, *entry.also, *([entry.licence] if entry.licence else [])}
        if stated and not stated & expected:
            why = f"it declares {', '.join(one.declared)}, and what is known of its name is {entry.name}"
            doubts.append(Finding("review", why, entry.id, identity=True))
        found[entry.id] = entry
    if not one.seen:
        doubts.append(Finding("review", UNSEEN))
    elif not one.declared and not named and not any(entry.layer == "service" for entry in hosting):
        doubts.append(Finding("review", "no licence is declared"))
    found |= {entry.id: entry for entry in hosting}
    for entry in list(found.values()):
        for other in (*entry.also, *([entry.licence] if entry.licence else [])):
            extra = registry.find(other)
            if extra is not None:
                found.setdefault(extra.id, extra)
    return list(found.values()), doubts


def _named(one: Input, registry: Registry) -> tuple[list[Entry], list[Finding]]:
    """Entries that cover the input's name, or where none does those of what its card says that it was made from."""
    doubts: list[Finding] = []
    found: dict[str, Entry] = {}
    own = registry.covering(one.name, "data" if one.role == "real data" else "model")
    weights = [entry for entry in own if entry.layer != "service"]
    elsewhere = one.host is not None and not local(one.host)
    for covering in [own] if own else [registry.covering(base, "model") for base in one.made_from]:
        if len([entry for entry in covering if entry in weights or entry not in own]) > 1:
            names = " and ".join(entry.id for entry in covering)
            doubts.append(Finding("review", f"{names} both claim this name", identity=True))
        found |= {entry.id: entry for entry in covering if entry.layer != "service" or elsewhere}
    if one.host is not None and not elsewhere and "/" not in one.name:
        for entry in (entry for entry in own if entry.layer == "service"):
            why = f"the name is one of {entry.name}: if your server passes questions on to it, its terms apply"
            doubts.append(Finding("review", why, identity=True))
    return list(found.values()), doubts


def _unknown_host(host: str) -> Finding:
    return Finding("review", f"nothing is known of the terms of {host}", f"{HOST}{host}")


def _contradiction(one: Input, registry: Registry) -> Iterator[Finding]:
    """A recipe that states another licence than the thing itself; not where that one's is unclear, and so is made clear."""
    stated = {entry.id for term in one.declared if (entry := registry.find(term))}
    for term in one.card:
        entry = registry.find(term)
        if entry is not None and entry.id not in stated and entry.unclear is None:
            why = f"the recipe states {', '.join(one.declared)}, and its own card or package declares {term}"
            yield Finding("review", why, entry.id, identity=True)


def local(host: str) -> bool:
    """Whether it is a machine of one's own: by its number, or by a name that no public one has."""
    try:
        number = ip_address(host.strip("[]"))
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".lan"))
    return number.is_private or number.is_loopback or number.is_link_local


def _judged(one: Input, case: Case) -> Judged:
    entries, doubts = applying(one, case.registry)
    duties = [(duty, entry.id) for entry in entries for duty in entry.duties if _asked(duty, entry, one, case.form)]
    findings = [*doubts, *(_finding(one, entry, case) for entry in entries), *_misnamed(duties, case)]
    settled = tuple(replace(finding, accepted=_reason(finding, one, case)) for finding in findings)
    return Judged(one, settled, tuple(duties))


def _reason(finding: Finding, one: Input, case: Case) -> str | None:
    """Why the user accepts it: by the reference, or where it is sure what it is by the entry too."""
    if finding.level != "review":
        return None
    for key, reason in case.accepted.items():
        entry = case.registry.find(key)
        names_it = finding.entry is not None and finding.entry == (entry.id if entry else key)
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


def permitted(permission: Permission, one: Input) -> bool:
    """Whether a written permission is one for this input."""
    name = one.name.lower()
    return not permission.covers or any(fnmatchcase(name, pattern.lower()) for pattern in permission.covers)


def _misnamed(duties: Sequence[tuple[Duty, str]], case: Case) -> Iterator[Finding]:
    """A name that may not be published."""
    for duty, entry in duties:
        misnamed = case.name and not case.name.startswith(duty.text)
        if duty.kind == "name_prefix" and case.use == "redistribute" and misnamed:
            yield Finding("blocked", said(duty, case.name), entry)


def _finding(one: Input, entry: Entry, case: Case) -> Finding:
    """What one entry makes of one input."""
    permission = case.registry.permissions.get(entry.id)
    if permission is not None and permitted(permission, one):
        return Finding("ok", f"permitted in writing: {permission.reference}, {permission.dated}", entry.id)
    level, why = strictest_of(
        _of_outputs(one, entry, case.bases),
        _of_commerce(one, entry, case.use),
        _of_derivatives(one, entry, case),
        ("review", entry.unclear) if entry.unclear else ("ok", entry.name),
    )
    return Finding(level, why, entry.id)


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
